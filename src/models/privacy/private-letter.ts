import type { AttributeValue } from '../attributes.ts'
import { isMessageBody, isMessageEvent } from '../content-events.ts'
import { isContentKey } from '../content-keys.ts'
import { type DeadLetter, NOT_KEPT } from '../dead-letter.ts'
import { isPlainObject } from '../decode-fields.ts'
import { encodeResp } from '../encode-resp.ts'
import { isEventNameKey } from '../event-name.ts'
import { looksLikeJson, parseJson } from '../json.ts'
import { looseRecordJson } from '../loose-record.ts'
import { setOwn } from '../normalize-value.ts'
import { parseResp } from '../parse-resp.ts'
import { hasRepeatedNames } from '../repeated-names.ts'
import type { Privacy } from './privacy.ts'
import { MAX_DEPTH, MAX_NESTED_TEXTS } from './privacy-limits.ts'
import type { RedactionTally } from './redaction-tally.ts'

/**
 * A dead letter as it may be kept. Its payload may be no record at all, so what counts as an attribute is every member of an object, and every pair of
 * OTLP's `key` and `value`. A payload that cannot be read, as protobuf cannot here, is left out: it cannot be redacted.
 */
export function privateLetter(letter: DeadLetter, privacy: Privacy, tally: RedactionTally): DeadLetter {
  if (privacy.isIdle || privacy.sparesLetters) return letter
  const detail = privacy.redactor.text(letter.detail, tally)
  const payload = readablePayload(letter, new PayloadWalk(privacy, tally))
  if (payload !== undefined) return { ...letter, detail, payload }
  const why = `its payload of ${letter.payload.length} bytes cannot be read, so not redacted, and is not kept`
  return { ...letter, detail: `${detail}; ${why}`, payload: NOT_KEPT }
}

/** What is so deep or so long that the engine gives up cannot be read. */
function readablePayload(letter: DeadLetter, walk: PayloadWalk): Buffer | undefined {
  try {
    return privatePayload(letter, walk)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function privatePayload(
  { payload, payloadForm }: Pick<DeadLetter, 'payload' | 'payloadForm'>,
  walk: PayloadWalk,
): Buffer | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (payloadForm !== 'entry') return walk.json(bytes)
  const fields = parseResp(bytes)
  if (fields === undefined) return undefined
  const texts = fields.map((field) => field.toString('utf8'))
  const named = Object.fromEntries(
    texts.flatMap((name, index) => (index % 2 === 0 ? [[name, texts[index + 1]]] : [])),
  )
  const isMessage = isMessageRecord(named)
  const kept: Buffer[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const text = texts[index + 1] ?? ''
    const value = walk.field(texts[index] ?? '', text, isMessage)
    if (value === undefined) return undefined
    // Bytes that are no UTF-8 stay what they are where nothing in them is hidden.
    kept.push(fields[index] ?? EMPTY, value === text ? (fields[index + 1] ?? EMPTY) : Buffer.from(value))
  }
  return encodeResp(kept)
}

const EMPTY = Buffer.alloc(0)
class PayloadWalk {
  readonly #privacy: Privacy
  readonly #tally: RedactionTally

  constructor(privacy: Privacy, tally: RedactionTally) {
    this.#privacy = privacy
    this.#tally = tally
  }

  /** Undefined where it is no JSON; the very bytes where nothing is to be hidden. */
  json(bytes: Buffer): Buffer | undefined {
    const text = bytes.toString('utf8')
    const kept = this.#jsonText(text, { depth: 0, texts: 0, isMessage: false })
    return kept === text ? bytes : kept === undefined ? undefined : Buffer.from(kept)
  }

  /** A field of an entry: text, or JSON in a text. Undefined where it cannot be read. */
  field(name: string, text: string, isMessage: boolean): string | undefined {
    if ((name === 'otlp' || name === 'json') && (!looksLikeJson(text) || parseJson(text).rejection))
      return undefined
    const kept = this.#member(name, text, { depth: 0, texts: 0, isMessage }) ?? ''
    return typeof kept === 'string' ? kept : looseRecordJson(kept)
  }

  #jsonText(text: string, within: Within): string | undefined {
    const { value, rejection } = parseJson(text)
    if (rejection !== undefined) return undefined
    const before = looseRecordJson(value)
    const kept = looseRecordJson(this.#value(value, within))
    return kept === before && !hasRepeatedNames(text, value) ? text : kept
  }

  #value(value: unknown, within: Within): AttributeValue {
    const depth = within.depth + 1
    if (depth > MAX_DEPTH) return null
    if (Array.isArray(value)) return value.map((item) => this.#value(item, { ...within, depth }))
    if (typeof value === 'string' && looksLikeJson(value) && within.texts < MAX_NESTED_TEXTS) {
      const kept = this.#jsonText(value, { ...within, depth, texts: within.texts + 1 })
      if (kept !== undefined) return kept
    }
    if (!isPlainObject(value)) return this.#privacy.redactor.value(value as AttributeValue, this.#tally)
    const isMessage = within.isMessage || isMessageRecord(value)
    const { key } = value
    const copy: Record<string, AttributeValue> = {}
    for (const name of Object.keys(value)) {
      const isPair = name === 'value' && typeof key === 'string'
      const kept = this.#member(isPair ? key : name, value[name], { ...within, depth, isMessage })
      if (kept !== undefined) setOwn(copy, name, kept)
    }
    return copy
  }

  /** A value by its name. @returns undefined where nothing of it is kept. */
  #member(name: string, value: unknown, within: Within): AttributeValue | undefined {
    const { redactor, content } = this.#privacy
    const kept = redactor.maskOfKey(name, this.#tally) ?? this.#value(value, within)
    return isBody(name, within.isMessage) ? content.apply(kept) : kept
  }
}

/** What is around a value: containers, texts of JSON, and an event that is a message. */
interface Within {
  readonly depth: number
  readonly texts: number
  readonly isMessage: boolean
}

function isBody(name: string, isMessage: boolean): boolean {
  return isContentKey(name) || (isMessage && (name === 'body' || isMessageBody(name)))
}

/** Whether an object is an event that is a message: its name is its own, or among its attributes, whatever form these have. */
function isMessageRecord(value: Readonly<Record<string, unknown>>): boolean {
  const { eventName, name, attributes } = value
  const isNamed = isMessageEvent(eventName) || isMessageEvent(name) || namesMessage(value)
  if (isNamed || attributes === undefined) return isNamed
  const list = typeof attributes === 'string' ? parseJson(attributes).value : attributes
  if (!Array.isArray(list)) return isPlainObject(list) && namesMessage(list)
  return list.some(
    (pair) =>
      isPlainObject(pair) &&
      isEventNameKey(String(pair.key)) &&
      isMessageEvent(isPlainObject(pair.value) ? pair.value.stringValue : pair.value),
  )
}

function namesMessage(attributes: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(attributes).some((name) => isEventNameKey(name) && isMessageEvent(attributes[name]))
}
