import { isUtf8 } from 'node:buffer'
import type { Rejection } from '../rejection.ts'
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  FAIL,
  JsonScanner,
  OPEN_BRACE,
  OPEN_BRACKET,
} from '../scan/json-scanner.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { RECORD_PATHS } from './otlp-messages.ts'
import type { PartBuilder, Wrap } from './part-builder.ts'

const MAX_NESTING = 1000

/** Gives a builder the records of a request of JSON. @returns why it is none. */
export function splitJson(
  json: Buffer,
  signal: TelemetrySignal,
  builder: PartBuilder,
): Rejection | undefined {
  if (!isUtf8(json)) return { reason: 'not_json', detail: 'the text is not UTF-8' }
  return new JsonSplitter(json, RECORD_PATHS[signal], builder).split()
}

const NOT_JSON: Rejection = { reason: 'not_json', detail: 'the text is not valid JSON' }
/** A resource, a scope, a schema URL, and what later versions add to them. */
const MAX_OWN_MEMBERS = 1000
const TOO_MANY: Rejection = {
  reason: 'too_large',
  detail: `an object around records must have at most ${MAX_OWN_MEMBERS} members of its own`,
}

/** A member of an object that leads to records. */
interface Held {
  readonly name: string
  readonly from: number
  readonly to: number
}

class JsonSplitter extends JsonScanner {
  readonly #path: readonly (readonly string[])[]
  readonly #builder: PartBuilder
  #hasTooMany = false

  constructor(json: Buffer, path: readonly (readonly string[])[], builder: PartBuilder) {
    super()
    this.bytes = json
    this.end = json.length
    this.takesAllEscapes = true
    this.#path = path
    this.#builder = builder
  }

  split(): Rejection | undefined {
    const from = this.skipWhite(0)
    const to = this.#skip(from)
    if (to === FAIL || this.skipWhite(to) !== this.end) return NOT_JSON
    // What is JSON but no request is for its reader to refuse.
    if (this.bytes[from] === OPEN_BRACE) this.#splitObject(from, to, 0)
    return this.#hasTooMany ? TOO_MANY : undefined
  }

  /** Its text is known to be well-formed. */
  #splitObject(from: number, to: number, depth: number): void {
    const { own, held } = this.#members(from, this.#path[depth] ?? [])
    const [first, ...others] = held
    if (first === undefined || others.length > 0) {
      // What it would have held its reader may not know; of a metric with several kinds of data it takes none.
      if (depth > 0) this.#builder.add(this.bytes.subarray(from, to))
      return
    }
    const isList = this.bytes[first.from] === OPEN_BRACKET
    this.#builder.open(Buffer.from(own.join(',')), wrapIn(first.name, isList))
    if (isList) this.#splitList(first.from, depth + 1)
    else this.#splitObject(first.from, first.to, depth + 1)
    this.#builder.close()
  }

  #splitList(from: number, depth: number): void {
    const isOfRecords = depth === this.#path.length
    let at = this.skipWhite(from + 1)
    while (this.bytes[at] !== CLOSE_BRACKET && this.#builder.problem === undefined) {
      const to = this.#skip(at)
      if (isOfRecords || this.bytes[at] !== OPEN_BRACE) this.#builder.add(this.bytes.subarray(at, to))
      else this.#splitObject(at, to, depth)
      at = this.skipComma(to, CLOSE_BRACKET)
    }
  }

  /** The members of an object: those that lead to records, and the text of all others. Of a repeated key the last counts. */
  #members(
    from: number,
    names: readonly string[],
  ): { readonly own: string[]; readonly held: readonly Held[] } {
    const own: string[] = []
    const held = new Map<string, Held>()
    let at = this.skipWhite(from + 1)
    while (this.bytes[at] !== CLOSE_BRACE) {
      const valueFrom = this.skipKey(at)
      const name = textOf(this.bytes.toString('utf8', at + 1, this.keyEnd))
      const to = this.#skip(valueFrom)
      const first = this.bytes[valueFrom]
      if (names.includes(name) && (first === OPEN_BRACKET || first === OPEN_BRACE))
        held.set(name, { name, from: valueFrom, to })
      else {
        held.delete(name)
        if (own.length < MAX_OWN_MEMBERS) own.push(this.bytes.toString('utf8', at, to))
        else this.#hasTooMany = true
      }
      at = this.skipComma(to, CLOSE_BRACE)
    }
    return { own, held: [...held.values()] }
  }

  #skip(from: number): number {
    return this.skipValue(from, 0, MAX_NESTING)
  }
}

/** Of what stands between quotes. */
function textOf(raw: string): string {
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
}

const COMMA = Buffer.from(',')

/** An object of its own members and of one that holds others, in a list or by itself. */
function wrapIn(name: string, isList: boolean): Wrap {
  const [open, close] = isList ? ['[', ']'] : ['', '']
  return (header, held) =>
    Buffer.concat([
      Buffer.from('{'),
      header,
      Buffer.from(`${header.length > 0 ? ',' : ''}"${name}":${open}`),
      ...held.flatMap((each, index) => (index === 0 ? [each] : [COMMA, each])),
      Buffer.from(`${close}}`),
    ])
}
