/**
 * What a terminal would act on instead of showing it: control characters other than the line feed, and what reorders, joins or hides text (Unicode's
 * categories Cc, Cf, Zl and Zp).
 */
const ACTIVE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Text of several lines that comes from elsewhere, safe for a terminal: nothing in it moves the cursor or changes a color. */
export function terminalText(text: string): string {
  return text.toWellFormed().replaceAll(ACTIVE, escapeCharacter)
}

/** The same, on one line. */
export function terminalLine(text: string): string {
  return terminalText(text).replaceAll('\n', '\\n')
}

/** Bytes as text: as they are where they are UTF-8; else each byte beyond ASCII as `\x9c`, and a backslash as two. */
export function terminalBytes(bytes: Buffer): string {
  try {
    return terminalText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    const text = bytes.toString('latin1').replaceAll('\\', '\\\\')
    return text.replaceAll(/[^\n\x20-\x7e]/g, escapeCharacter)
  }
}

function escapeCharacter(character: string): string {
  if (character === '\t') return '\\t'
  if (character === '\r') return '\\r'
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
