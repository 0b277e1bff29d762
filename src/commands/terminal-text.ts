import { escapeCharacter, visibleLine, visibleText } from '../models/shown/visible-text.ts'

/** Text of several lines that comes from elsewhere, safe for a terminal: nothing in it moves the cursor or changes a color. */
export function terminalText(text: string): string {
  return visibleText(text)
}

/** The same, on one line. */
export function terminalLine(text: string): string {
  return visibleLine(text)
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
