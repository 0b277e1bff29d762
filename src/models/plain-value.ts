const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30
const MAX_ASCII = 0x7f
/** So many digits are an integer that a double holds. */
const MAX_DIGITS = 15

/** The integer that the JSON from `from` to before `to` is, where it is nothing but some digits. */
export function plainInteger(json: string, from: number, to: number): number | undefined {
  if (to - from > MAX_DIGITS) return undefined
  let integer = 0
  for (let at = from; at < to; at += 1) {
    const digit = json.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return undefined
    integer = integer * 10 + digit
  }
  return integer
}

/** The string that the JSON from `from` to before `to` is, where it is one of ASCII without escapes. */
export function plainText(json: string, from: number, to: number): string | undefined {
  if (json.charCodeAt(from) !== QUOTE) return undefined
  for (let at = from + 1; at < to - 1; at += 1) {
    const code = json.charCodeAt(at)
    if (code > MAX_ASCII || code === BACKSLASH) return undefined
  }
  return json.slice(from + 1, to - 1)
}
