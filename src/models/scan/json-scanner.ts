/**
 * Walks JSON text (RFC 8259) in UTF-8 byte by byte, and makes nothing of it.
 *
 * Each method takes the position where something begins and gives the one behind it, or {@link FAIL} where the text is not well-formed, or holds what
 * jsonb refuses or cleaning would change: \u0000 and the escapes of surrogates.
 */
export class JsonScanner {
  protected bytes: Buffer = Buffer.alloc(0)
  protected end = 0
  /** What the value is that was walked last. */
  protected kind: JsonKind = ABSENT
  /** Whether all strings were ASCII so far. */
  protected isAscii = true
  /** Of the key that was walked last: where it ends, and its hash by {@link nextHash}. */
  protected keyEnd = 0
  protected keyHash = FIRST_HASH
  /** Whether \u0000 and the escapes of surrogates are passed over like any other: where nothing of the text is stored. */
  protected takesAllEscapes = false
  /** False once a number was met that is not in normal form: see {@link UnparsedObject}. */
  protected isNormal = true

  protected skipWhite(from: number): number {
    let at = from
    while (at < this.end && isWhite(this.bytes[at] as number)) at += 1
    return at
  }

  /** From behind an item to the next one, or to the bracket that `closes` them all. */
  protected skipComma(from: number, closes: number): number {
    const at = this.skipWhite(from)
    if (this.bytes[at] === closes) return at
    if (this.bytes[at] !== COMMA) return FAIL
    const next = this.skipWhite(at + 1)
    return this.bytes[next] === closes ? FAIL : next
  }

  /** From the quote of a key to the value behind it. */
  protected skipKey(from: number): number {
    const { bytes, end } = this
    if (bytes[from] !== QUOTE) return FAIL
    let hash = FIRST_HASH
    let seen = 0
    let at = from + 1
    for (; at < end; at += 1) {
      const byte = bytes[at] as number
      if (byte === QUOTE) break
      seen |= byte
      hash = nextHash(hash, byte)
      if (byte > BACKSLASH || (byte >= SPACE && byte < BACKSLASH)) continue
      const behind = byte === BACKSLASH ? this.#skipEscape(at + 1) : FAIL
      if (behind === FAIL) return FAIL
      at = behind - 1
      hash = nextHash(hash, bytes[at] as number)
    }
    if (seen > MAX_ASCII) this.isAscii = false
    this.keyEnd = at
    this.keyHash = hash
    at = this.skipWhite(at + 1)
    return bytes[at] === COLON ? this.skipWhite(at + 1) : FAIL
  }

  /** @param depth containers around the value. */
  protected skipValue(from: number, depth: number, maxDepth: number): number {
    const byte = this.bytes[from]
    switch (byte) {
      case QUOTE:
        return this.skipString(from)
      case OPEN_BRACE:
        return depth < maxDepth ? this.#skipObject(from, depth + 1, maxDepth) : FAIL
      case OPEN_BRACKET:
        return depth < maxDepth ? this.#skipList(from, depth + 1, maxDepth) : FAIL
      case LOWER_T:
        return this.skipWord(from, TRUE)
      case LOWER_F:
        return this.skipWord(from, FALSE)
      case LOWER_N:
        return this.skipWord(from, NULL)
      default:
        return this.skipNumber(from)
    }
  }

  protected skipString(from: number): number {
    const { bytes, end } = this
    let seen = 0
    let hasEscape = false
    for (let at = from + 1; at < end; at += 1) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        if (seen > MAX_ASCII) this.isAscii = false
        this.kind = hasEscape ? ESCAPED : TEXT
        return at + 1
      }
      seen |= byte
      if (byte < SPACE) return FAIL
      if (byte !== BACKSLASH) continue
      hasEscape = true
      const behind = this.#skipEscape(at + 1)
      if (behind === FAIL) return FAIL
      at = behind - 1
    }
    return FAIL
  }

  protected skipNumber(from: number): number {
    const { bytes } = this
    const digits = bytes[from] === MINUS ? from + 1 : from
    const at = this.#skipDigits(digits)
    // Of several digits the first is no zero.
    if (at === digits || (bytes[digits] === ZERO && at > digits + 1)) return FAIL
    const isNegative = digits > from
    this.kind = isNegative || at - from > MAX_PLAIN_DIGITS ? NUMBER : INTEGER
    const next = bytes[at]
    if (next === POINT || next === LOWER_E || next === UPPER_E) return this.#skipFraction(digits, at)
    if (at - digits > MAX_INTEGER_DIGITS || (isNegative && bytes[digits] === ZERO)) this.isNormal = false
    return at
  }

  #skipFraction(digits: number, from: number): number {
    const { bytes } = this
    this.kind = NUMBER
    let at = from
    if (bytes[at] === POINT) {
      const fraction = at + 1
      at = this.#skipDigits(fraction)
      if (at === fraction) return FAIL
      this.isNormal &&= from - digits <= MAX_PLAIN_DIGITS && at - digits <= MAX_DECIMAL_BYTES
    }
    if (bytes[at] !== LOWER_E && bytes[at] !== UPPER_E) return at
    this.isNormal = false
    const sign = bytes[at + 1]
    const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1
    at = this.#skipDigits(exponent)
    return at === exponent ? FAIL : at
  }

  protected skipWord(from: number, word: Uint8Array): number {
    this.kind = WORD
    for (let index = 0; index < word.length; index += 1) {
      if (this.bytes[from + index] !== word[index]) return FAIL
    }
    return from + word.length
  }

  #skipObject(from: number, depth: number, maxDepth: number): number {
    const { bytes } = this
    let at = this.skipWhite(from + 1)
    while (bytes[at] !== CLOSE_BRACE) {
      at = this.skipKey(at)
      if (at === FAIL) return FAIL
      at = this.skipValue(at, depth, maxDepth)
      if (at === FAIL) return FAIL
      at = this.skipComma(at, CLOSE_BRACE)
      if (at === FAIL) return FAIL
    }
    this.kind = OBJECT
    return at + 1
  }

  #skipList(from: number, depth: number, maxDepth: number): number {
    const { bytes } = this
    let at = this.skipWhite(from + 1)
    while (bytes[at] !== CLOSE_BRACKET) {
      at = this.skipValue(at, depth, maxDepth)
      if (at === FAIL) return FAIL
      at = this.skipComma(at, CLOSE_BRACKET)
      if (at === FAIL) return FAIL
    }
    this.kind = LIST
    return at + 1
  }

  /** From behind a backslash. */
  #skipEscape(from: number): number {
    const { bytes } = this
    const escaped = bytes[from] ?? 0
    if (escaped !== LOWER_U) return ESCAPABLE[escaped] === 1 ? from + 1 : FAIL
    let code = 0
    for (let at = from + 1; at <= from + 4; at += 1) {
      const digit = HEX_DIGITS[bytes[at] ?? 0] ?? 0
      if (digit === 0) return FAIL
      code = code * 16 + digit - 1
    }
    const isSurrogate = code >= FIRST_SURROGATE && code <= LAST_SURROGATE
    return (code === 0 || isSurrogate) && !this.takesAllEscapes ? FAIL : from + 5
  }

  #skipDigits(from: number): number {
    let at = from
    while (at < this.end) {
      const byte = this.bytes[at] as number
      if (byte < ZERO || byte > NINE) break
      at += 1
    }
    return at
  }
}

/** What a value is. */
export type JsonKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7
export const ABSENT = 0
/** A string without escapes. */
export const TEXT = 1
export const ESCAPED = 2
/** At most fifteen digits and nothing else. */
export const INTEGER = 3
export const NUMBER = 4
/** true, false or null. */
export const WORD = 5
export const OBJECT = 6
export const LIST = 7

/** Instead of a position: the text is not such as is walked here. */
export const FAIL = -1

export const FIRST_HASH = 17

/** The hash of a text that ends with `byte`, from the hash of what is before it. */
export function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0
}

/** White space of JSON. */
export function isWhite(byte: number): boolean {
  return byte <= SPACE && (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09)
}

/** So many digits are below 2^53: a double holds them, and JavaScript takes no decimal of them for an integer that jsonb would not. */
const MAX_PLAIN_DIGITS = 15
/** The shortest text of a double without an exponent has some 25. */
const MAX_DECIMAL_BYTES = 25
/** As in `normalizeValue`. */
const MAX_INTEGER_DIGITS = 1_000

const FIRST_SURROGATE = 0xd800
const LAST_SURROGATE = 0xdfff

const SPACE = 0x20
const MAX_ASCII = 0x7f
export const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
export const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const UPPER_E = 0x45
export const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
export const CLOSE_BRACKET = 0x5d
const LOWER_E = 0x65
const LOWER_F = 0x66
const LOWER_N = 0x6e
const LOWER_T = 0x74
const LOWER_U = 0x75
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

/** 1 for what may follow a backslash, but u. */
const ESCAPABLE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('"\\/bfnrt'.includes(String.fromCharCode(byte))),
)

/** The value of a hex digit and 1; 0 for what is none. */
export const HEX_DIGITS = Uint8Array.from(
  { length: 256 },
  (_, byte) => '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase()) + 1,
)
