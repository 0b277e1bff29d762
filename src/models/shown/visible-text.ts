/** What a screen would act on instead of showing it: control characters, and what reorders, joins or hides text (Unicode's categories Cc, Cf, Zl and Zp). */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A piece of a text: as it came, or one character of it that is written out. */
export interface TextPiece {
  readonly text: string
  readonly isEscaped: boolean
}

/** Text of several lines that comes from elsewhere, safe for a screen: nothing in it moves the cursor, changes a color or turns the direction of reading. */
export function visibleText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(ACTIVE, (character) => (character === '\n' ? character : escapeCharacter(character)))
}

/** The same, on one line. */
export function visibleLine(text: string): string {
  return visibleText(text).replaceAll('\n', '\\n')
}

/** The same in pieces, for a screen that can show which characters are written out. @param keep characters that stay as they are. */
export function visiblePieces(text: string, keep = ''): readonly TextPiece[] {
  const pieces: TextPiece[] = []
  const whole = text.toWellFormed()
  let from = 0
  for (const { 0: character, index } of whole.matchAll(ACTIVE)) {
    if (keep.includes(character)) continue
    if (index > from) pieces.push({ text: whole.slice(from, index), isEscaped: false })
    pieces.push({ text: escapeCharacter(character), isEscaped: true })
    from = index + character.length
  }
  if (from < whole.length) pieces.push({ text: whole.slice(from), isEscaped: false })
  return pieces
}

/** A character as those who program write it: `\t`, `\x1b`, `\u{202e}`. */
export function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  if (character === '\r') return '\\r'
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
