/**
 * Text in lower case, as PostgreSQL's `lower` has it, character by character: JavaScript writes a sigma at the end of a word as ς, and İ as two characters.
 */
export function lowerCase(text: string): string {
  return text.replaceAll('Σ', 'σ').replaceAll('İ', 'i').toLowerCase()
}
