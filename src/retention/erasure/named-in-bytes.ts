import type { ErasedPerson } from './erased-person.ts'

/** What a trace id is after in protobuf and in COPY BINARY: its length. */
const TRACE_ID_BYTES = 16
const TRACE_ID_HEX = /(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/gi

/**
 * Finds ids in bytes whose form nobody need know: JSON, protobuf, RESP, COPY BINARY. A text is found where it stands as a whole value or word: so it may find
 * what only looks like the id, and misses none but one that was escaped without need.
 */
export class NamedInBytes {
  readonly #texts: readonly Buffer[]

  constructor({ users, sessions }: Pick<ErasedPerson, 'users' | 'sessions'>) {
    this.#texts = [...new Set([...users, ...sessions].flatMap(formsOf))].map((text) => Buffer.from(text))
  }

  /** Whether a user or a session of the person is named. */
  isIn(bytes: Buffer): boolean {
    return this.#texts.some((text) => standsIn(bytes, text))
  }
}

/** A text as it is, and as JSON has it: with what must be escaped, with all that is not ASCII, with slashes. */
function formsOf(id: string): readonly string[] {
  const json = JSON.stringify(id).slice(1, -1)
  const escaped = (code: (hex: string) => string) =>
    json.replaceAll(/[^\0-\x7f]/g, (char) => `\\u${code(char.charCodeAt(0).toString(16).padStart(4, '0'))}`)
  const ascii = [escaped((hex) => hex), escaped((hex) => hex.toUpperCase())]
  return [id, json, ...ascii, ...[json, ...ascii].map((text) => text.replaceAll('/', '\\/'))]
}

/** The trace ids that may stand in bytes, as hex digits. */
export function traceIdsIn(bytes: Buffer): readonly string[] {
  const found = new Set<string>()
  for (const [digits] of bytes.toString('latin1').matchAll(TRACE_ID_HEX)) found.add(digits.toLowerCase())
  for (let at = bytes.indexOf(TRACE_ID_BYTES); at >= 0; at = bytes.indexOf(TRACE_ID_BYTES, at + 1)) {
    const id = bytes.subarray(at + 1, at + 1 + TRACE_ID_BYTES)
    if (id.length === TRACE_ID_BYTES) found.add(id.toString('hex'))
  }
  return [...found]
}

function standsIn(bytes: Buffer, text: Buffer): boolean {
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    const isWord = !isWordByte(bytes[at - 1]) && !isWordByte(bytes[at + text.length])
    if (isWord || hasLengthBefore(bytes, at, text.length)) return true
  }
  return false
}

/** Letters and digits, and what is beyond ASCII. */
function isWordByte(byte = 0): boolean {
  return byte > 0x7f || /\w/.test(String.fromCharCode(byte))
}

/** As protobuf writes a length, or COPY BINARY. */
function hasLengthBefore(bytes: Buffer, at: number, length: number): boolean {
  if (at >= 4 && bytes.readUInt32BE(at - 4) === length) return true
  const varint: number[] = []
  for (let rest = length; ; rest >>>= 7) {
    varint.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) break
  }
  return at >= varint.length && bytes.subarray(at - varint.length, at).equals(Buffer.from(varint))
}
