import type { DecodeContext } from './decode-context.ts'

/**
 * PostgreSQL stores neither U+0000 (SQLSTATE 22021, in jsonb 22P05) nor a surrogate without its
 * partner (22P02). Both become U+FFFD, one for one, so that the reader sees that something was there.
 */
const REPLACEMENT = '\uFFFD'

/** JSON writes the two as escapes, and only a backslash can start one. Upper and lower case are allowed. */
const UNSTORABLE_ESCAPE = /\\u(?:0000|[dD][89a-fA-F])/

/**
 * Whether text as it came from the wire, JSON or not, may hold what PostgreSQL cannot store, raw or
 * escaped. A paired surrogate escape also says yes. Costs two searches for a byte on clean text.
 */
export function mayHoldUnstorableText(raw: string): boolean {
  return raw.includes('\0') || (raw.includes('\\u') && UNSTORABLE_ESCAPE.test(raw)) || !raw.isWellFormed()
}

/** The text, with NUL and lone surrogates replaced and counted where the entry may hold any. */
export function cleanText(text: string, context: DecodeContext): string {
  if (!context.suspicious || isStorable(text)) return text
  context.cleaned++
  return storableText(text)
}

export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT)
}
