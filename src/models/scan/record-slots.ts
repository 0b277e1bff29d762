import { parseExactNumber, parseJson } from '../json.ts'
import { type JsonKey, JsonKeys } from './json-keys.ts'
import {
  ABSENT,
  CLOSE_BRACE,
  FAIL,
  FIRST_HASH,
  HEX_DIGITS,
  INTEGER,
  type JsonKind,
  JsonScanner,
  NUMBER,
  nextHash,
  OBJECT,
  OPEN_BRACE,
  TEXT,
  ZERO,
} from './json-scanner.ts'
import { UnparsedObject } from './unparsed-object.ts'

/** Digits of unix nanoseconds from 1970-01-12 on, until they pass int64. */
const MIN_NANO_DIGITS = 16
const MAX_NANO_DIGITS = 19
const SUB_MICRO_DIGITS = 3
/** Of each field, for a hash. */
const HASHED_BYTES = 24
/** Longer texts are no words. */
const MAX_WORD_BYTES = 64

/**
 * One record as it stands in its JSON: which of the known fields it has, where each is and what it is. One object serves all records, one after the other.
 *
 * `isUsual` says whether that is all there is: a record with fields that are not known, or a field twice, is for the decoders of parsed records.
 */
export class RecordSlots extends JsonScanner {
  readonly #keys: JsonKeys
  readonly #maxDepth: number
  readonly #attributesField: number
  readonly #kinds: Uint8Array
  readonly #froms: Int32Array
  readonly #tos: Int32Array
  #latin1 = ''
  #objects = 0
  #attributes: UnparsedObject | undefined
  #isUsual = true
  /** Times that are accepted for certain, in unix microseconds; nearer to the limits they are compared exactly elsewhere. */
  protected earliestMicros = 0
  protected latestMicros = 0
  /** What {@link readTime} read: unix microseconds, and the nanoseconds that are left. */
  micros = 0
  nanos = 0

  /**
   * @param fields names of the fields that a usual record may have, `attributes` among them: a field is its place in this list.
   * @param maxDepth containers that may stand inside one another in an attribute.
   */
  constructor(fields: readonly string[], maxDepth: number) {
    super()
    this.#keys = new JsonKeys(fields)
    this.#maxDepth = maxDepth
    this.#attributesField = fields.indexOf('attributes')
    this.#kinds = new Uint8Array(fields.length)
    this.#froms = new Int32Array(fields.length)
    this.#tos = new Int32Array(fields.length)
  }

  get source(): Buffer {
    return this.bytes
  }

  get isUsual(): boolean {
    return this.#isUsual
  }

  /** The record's attributes, where it has any. */
  get attributes(): UnparsedObject | undefined {
    return this.#attributes
  }

  /** Begins with other bytes. */
  protected begin(json: Buffer): void {
    this.bytes = json
    this.end = json.length
    this.isAscii = true
    this.#latin1 = json.toString('latin1')
  }

  /** From the brace of a record to behind it. */
  protected walkRecord(from: number): number {
    const { bytes } = this
    if (bytes[from] !== OPEN_BRACE) return FAIL
    this.#kinds.fill(ABSENT)
    this.#attributes = undefined
    this.#isUsual = true
    let at = this.skipWhite(from + 1)
    while (bytes[at] !== CLOSE_BRACE) {
      const keyFrom = at + 1
      at = this.skipKey(at)
      if (at === FAIL) return FAIL
      const { field } = this.#keys.find(bytes, keyFrom, this.keyEnd, this.keyHash)
      at = this.#walkField(field, at)
      if (at === FAIL) return FAIL
      at = this.skipComma(at, CLOSE_BRACE)
      if (at === FAIL) return FAIL
    }
    return at + 1
  }

  #walkField(field: number, from: number): number {
    const isAttributes = field === this.#attributesField && this.bytes[from] === OPEN_BRACE
    const to = isAttributes ? this.#walkAttributes(from) : this.skipValue(from, 0, this.#maxDepth)
    if (field < 0 || this.#kinds[field] !== ABSENT) {
      this.#isUsual = false
      return to
    }
    this.#kinds[field] = this.kind
    this.#froms[field] = from
    this.#tos[field] = to
    return to
  }

  #walkAttributes(from: number): number {
    const { bytes } = this
    const object = ++this.#objects
    const forgotten = this.#keys.forgotten
    const keys: JsonKey[] = []
    const parts: number[] = []
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
      parts.push(keyFrom, valueFrom, at, this.kind)
      at = this.skipComma(at, CLOSE_BRACE)
      if (at === FAIL) return FAIL
    }
    this.kind = OBJECT
    if (this.isNormal && this.#keys.forgotten === forgotten)
      this.#attributes = new UnparsedObject(bytes, from, at + 1, { keys, parts })
    else this.#isUsual = false
    return at + 1
  }

  kindOf(field: number): JsonKind {
    return this.#kinds[field] as JsonKind
  }

  /** Whether a field says nothing: it is not there, or null, or the empty text. */
  isUnset(field: number): boolean {
    const kind = this.#kinds[field]
    if (kind === ABSENT) return true
    if (kind === TEXT) return this.toOf(field) === this.fromOf(field)
    return this.bytes[this.#froms[field] as number] === LOWER_N
  }

  /** Where the value of a field begins and ends: of a text what is between its quotes. */
  fromOf(field: number): number {
    return (this.#froms[field] as number) + (this.#kinds[field] === TEXT ? 1 : 0)
  }

  toOf(field: number): number {
    return (this.#tos[field] as number) - (this.#kinds[field] === TEXT ? 1 : 0)
  }

  /** The value of a field, parsed; undefined when it is not there. */
  value(field: number): unknown {
    const kind = this.#kinds[field]
    if (kind === ABSENT) return undefined
    const from = this.fromOf(field)
    const to = this.toOf(field)
    const text = this.isAscii ? this.#latin1.slice(from, to) : this.bytes.toString('utf8', from, to)
    if (kind === TEXT) return text
    return kind === INTEGER || kind === NUMBER ? parseExactNumber(text) : parseJson(text).value
  }

  /** The value of a field that has few values: a short text is looked up, not made. */
  word(field: number): unknown {
    const from = this.fromOf(field)
    const to = this.toOf(field)
    if (this.#kinds[field] !== TEXT || to - from > MAX_WORD_BYTES) return this.value(field)
    let hash = FIRST_HASH
    for (let at = from; at < to; at += 1) hash = nextHash(hash, this.bytes[at] as number)
    return this.#keys.find(this.bytes, from, to, hash).text
  }

  /** The value of a field, parsed from a copy: nothing of the entry is held by it. */
  parsed(field: number): unknown {
    if (this.#kinds[field] === ABSENT) return undefined
    return parseJson(this.bytes.toString('utf8', this.#froms[field], this.#tos[field])).value
  }

  /** A hash of some fields: of what each ends with, where the names of processes and the like differ. */
  hashOf(fields: readonly number[]): number {
    const { bytes } = this
    let hash = FIRST_HASH
    for (const field of fields) {
      if (this.#kinds[field] === ABSENT) continue
      const from = this.#froms[field] as number
      const to = this.#tos[field] as number
      hash = nextHash(hash, to - from)
      for (let at = Math.max(from, to - HASHED_BYTES); at < to; at += 1)
        hash = nextHash(hash, bytes[at] as number)
    }
    return hash ^ (hash >>> 16)
  }

  /** Whether the JSON of some fields is the same as that of {@link copyOf}. */
  says(fields: readonly number[], parts: readonly Uint8Array[]): boolean {
    const { bytes } = this
    for (let index = 0; index < fields.length; index += 1) {
      const field = fields[index] as number
      const part = parts[index] as Uint8Array
      const from = this.#froms[field] as number
      const length = this.#kinds[field] === ABSENT ? 0 : (this.#tos[field] as number) - from
      if (part.length !== length) return false
      for (let at = 0; at < length; at += 1) if (part[at] !== bytes[from + at]) return false
    }
    return true
  }

  /** The JSON of some fields, each copied, of one that is not there nothing; undefined where they have more than `maxBytes`. */
  copyOf(fields: readonly number[], maxBytes: number): Uint8Array[] | undefined {
    const parts = fields.map((field) =>
      this.#kinds[field] === ABSENT
        ? new Uint8Array(0)
        : this.bytes.subarray(this.#froms[field], this.#tos[field]),
    )
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    return bytes > maxBytes ? undefined : parts.map((part) => Uint8Array.from(part))
  }

  /** The JSON of a field, a character a byte: for looking up what it says. */
  raw(field: number): string {
    return this.#kinds[field] === ABSENT
      ? ''
      : this.#latin1.slice(this.#froms[field] as number, this.#tos[field] as number)
  }

  /** Where the hex digits of a field begin; {@link FAIL} where it is not so many, or only zeros. */
  hex(field: number, digits: number): number {
    const { bytes } = this
    const from = this.fromOf(field)
    if (this.#kinds[field] !== TEXT || this.toOf(field) - from !== digits) return FAIL
    let seen = 0
    let isHex = 1
    for (let at = from; at < from + digits; at += 1) {
      const digit = HEX_DIGITS[bytes[at] as number] as number
      if (digit === 0) isHex = 0
      seen |= digit - 1
    }
    return isHex === 1 && seen !== 0 ? from : FAIL
  }

  isAccepted(micros: number): boolean {
    return micros >= this.earliestMicros && micros <= this.latestMicros
  }

  /** Reads unix nanoseconds, as OTLP's JSON writes them, into `micros` and `nanos`. @returns whether the field is such. */
  readTime(field: number): boolean {
    const { bytes } = this
    const from = this.fromOf(field)
    const to = this.toOf(field)
    if (this.#kinds[field] !== TEXT || to - from < MIN_NANO_DIGITS || to - from > MAX_NANO_DIGITS)
      return false
    let micros = 0
    let nanos = 0
    for (let at = from; at < to; at += 1) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) return false
      if (at < to - SUB_MICRO_DIGITS) micros = micros * 10 + digit
      else nanos = nanos * 10 + digit
    }
    this.micros = micros
    this.nanos = nanos
    return micros <= Number.MAX_SAFE_INTEGER
  }
}

const LOWER_N = 0x6e
