import { isUtf8 } from 'node:buffer'
import type { Fields } from './decode-fields.ts'
import { parseJson } from './json.ts'
import { type JsonKey, JsonKeys } from './json-keys.ts'
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  FAIL,
  FALSE,
  JsonScanner,
  NULL,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  TRUE,
} from './json-scanner.ts'
import { plainInteger } from './plain-value.ts'
import { UnparsedObject } from './unparsed-object.ts'

/** What an entry's JSON holds. */
export interface ScannedRecords {
  readonly records: readonly Fields[]
  readonly isList: boolean
}

/** Fields that are not parsed where they are objects in normal form: they are stored as they are, or looked up whole. */
const UNPARSED_FIELDS: ReadonlySet<string> = new Set(['attributes', 'resource', 'scope'])

const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

/**
 * Reads the JSON of an entry, one record or a list of them, and leaves the objects in its records as they are: a fraction of the work of parsing and writing
 * them again.
 *
 * It takes what needs no care. To all else it says undefined (what is malformed, holds NUL or surrogate escapes, nests deeper than attributes may, has a
 * key `__proto__`), and it is for `parseJson` to find out what it is. What both take, they read alike.
 */
export class RecordScanner extends JsonScanner {
  readonly #keys = new JsonKeys()
  readonly #maxDepth: number
  /** The bytes as text, a character each: a part of it costs a tenth of what the part of a buffer does. */
  #latin1 = ''
  #objects = 0
  /** What was read last. */
  #value: unknown

  /** @param maxDepth containers that may stand inside one another in an attribute. */
  constructor(maxDepth: number) {
    super()
    this.#maxDepth = maxDepth
  }

  scan(json: Buffer): ScannedRecords | undefined {
    this.bytes = json
    this.end = json.length
    this.isAscii = true
    this.#latin1 = json.toString('latin1')
    const from = this.skipWhite(0)
    const records: Fields[] = []
    const isList = json[from] === OPEN_BRACKET
    const to = isList ? this.#readList(from, records) : this.#readRecord(from, records)
    if (to === FAIL || this.skipWhite(to) !== this.end) return undefined
    return this.isAscii || isUtf8(json) ? { records, isList } : undefined
  }

  #readList(from: number, records: Fields[]): number {
    const { bytes } = this
    let at = this.skipWhite(from + 1)
    if (bytes[at] === CLOSE_BRACKET) return at + 1
    for (;;) {
      at = this.#readRecord(at, records)
      if (at === FAIL) return FAIL
      at = this.skipWhite(at)
      if (bytes[at] === CLOSE_BRACKET) return at + 1
      if (bytes[at] !== COMMA) return FAIL
      at = this.skipWhite(at + 1)
    }
  }

  #readRecord(from: number, records: Fields[]): number {
    const { bytes } = this
    if (bytes[from] !== OPEN_BRACE) return FAIL
    const fields: Record<string, unknown> = {}
    records.push(fields)
    let at = this.skipWhite(from + 1)
    if (bytes[at] === CLOSE_BRACE) return at + 1
    for (;;) {
      const keyFrom = at + 1
      at = this.skipKey(at)
      if (at === FAIL) return FAIL
      const { text } = this.#keys.find(bytes, keyFrom, this.keyEnd, this.keyHash)
      if (text === '__proto__') return FAIL
      at = UNPARSED_FIELDS.has(text) && bytes[at] === OPEN_BRACE ? this.#readObject(at) : this.#readValue(at)
      if (at === FAIL) return FAIL
      fields[text] = this.#value
      at = this.skipWhite(at)
      if (bytes[at] === CLOSE_BRACE) return at + 1
      if (bytes[at] !== COMMA) return FAIL
      at = this.skipWhite(at + 1)
    }
  }

  #readValue(from: number): number {
    const { bytes } = this
    const byte = bytes[from] as number
    if (byte === QUOTE) {
      const to = this.skipString(from)
      if (to === FAIL) return FAIL
      this.#value = this.isPlain ? this.#latin1.slice(from + 1, to - 1) : JSON.parse(this.#text(from, to))
      return to
    }
    if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return this.#readNumber(from)
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      const to = this.skipValue(from, 0, this.#maxDepth)
      if (to !== FAIL) this.#value = parseJson(this.#text(from, to)).value
      return to
    }
    return this.#readWord(from)
  }

  #readWord(from: number): number {
    this.#value = true
    const behindTrue = this.skipWord(from, TRUE)
    if (behindTrue !== FAIL) return behindTrue
    this.#value = false
    const behindFalse = this.skipWord(from, FALSE)
    if (behindFalse !== FAIL) return behindFalse
    this.#value = null
    return this.skipWord(from, NULL)
  }

  #readNumber(from: number): number {
    const to = this.skipNumber(from)
    if (to === FAIL) return FAIL
    this.#value = plainInteger(this.#latin1, from, to) ?? parseJson(this.#text(from, to)).value
    return to
  }

  /** An object, left as it is where it is in normal form. */
  #readObject(from: number): number {
    const { bytes } = this
    const object = ++this.#objects
    const forgotten = this.#keys.forgotten
    const keys: JsonKey[] = []
    const bounds: number[] = []
    this.isNormal = true
    let at = this.skipWhite(from + 1)
    while (bytes[at] !== CLOSE_BRACE) {
      const keyFrom = at
      at = this.skipKey(at)
      if (at === FAIL) return FAIL
      const key = this.#keys.find(bytes, keyFrom + 1, this.keyEnd, this.keyHash)
      if (key.lastObject === object) this.isNormal = false
      key.lastObject = object
      keys.push(key)
      const valueFrom = at
      at = this.skipValue(at, 0, this.#maxDepth)
      if (at === FAIL) return FAIL
      bounds.push(keyFrom, valueFrom, at)
      at = this.skipWhite(at)
      if (bytes[at] !== COMMA) break
      at = this.skipWhite(at + 1)
      // A comma must be followed by a member.
      if (bytes[at] === CLOSE_BRACE) return FAIL
    }
    if (bytes[at] !== CLOSE_BRACE) return FAIL
    const to = at + 1
    const isNormal = this.isNormal && this.#keys.forgotten === forgotten
    this.#value = isNormal
      ? new UnparsedObject({ bytes, latin1: this.#latin1, from, to }, { keys, bounds })
      : parseJson(this.#text(from, to)).value
    return to
  }

  #text(from: number, to: number): string {
    return this.bytes.toString('utf8', from, to)
  }
}
