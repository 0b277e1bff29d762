import { terminalLine } from '../terminal-text.ts'

/** Two columns wide on a terminal: East Asian wide and full-width characters, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
/** Drawn onto the character before them. */
const COMBINING = /\p{Mn}|\p{Me}/u
const ASCII = /^[\x20-\x7e]*$/

/** Columns of a terminal that a safe text takes. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/**
 * Text from elsewhere as one line of at most `width` columns, safe for a terminal; what is cut ends in `…`. Of a long text no more is looked at than is shown.
 *
 * @param width undefined for all of it.
 */
export function fitLine(text: string, width?: number): string {
  if (width === undefined) return terminalLine(text)
  const looked = text.slice(0, LOOKED_AT * (width + 1))
  const line = terminalLine(looked)
  if (looked.length === text.length && textWidth(line) <= width) return line
  let cut = ''
  let left = width - 1
  for (const character of line) {
    left -= characterWidth(character)
    if (left < 0) break
    cut += character
  }
  return `${cut}…`
}

/** A safe text with blanks up to a width. */
export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - textWidth(text)))
  return align === 'left' ? text + blanks : blanks + text
}

/** Characters of a column: most have one, a few have marks. */
const LOOKED_AT = 4

function characterWidth(character: string): number {
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
