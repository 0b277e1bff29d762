import { lowerCase } from './lower-case.ts'

/** Characters of a body that are searched for words. A tsvector holds 1 MB of words: of so many characters of 4 bytes, words and all, it never takes more. */
export const SEARCHED_CHARACTERS = 100_000

/** Letters and digits of any script, with the marks on them. */
const WORD = /[\p{L}\p{N}\p{M}]+/gu

/** PostgreSQL leaves out words of more bytes than that. */
const MAX_WORD_BYTES = 2046
const MAX_BYTES_PER_UNIT = 3

/** The words of a text by which it is found, and where each is among them. */
export interface SearchedWords {
  readonly words: readonly string[]
  readonly places: ReadonlyMap<string, readonly number[]>
}

/** Finds the words of the searched part of a text. */
export function searchedWords(text: string): SearchedWords {
  const words = wordsOf(beginning(text))
  const places = new Map<string, number[]>()
  words.forEach((word, place) => {
    const known = places.get(word)
    if (known === undefined) places.set(word, [place])
    else known.push(place)
  })
  return { words, places }
}

/** The words of a text, in lower case. */
export function wordsOf(text: string): readonly string[] {
  return lowerCase(text).match(WORD)?.filter(isIndexed) ?? []
}

function isIndexed(word: string): boolean {
  return word.length * MAX_BYTES_PER_UNIT <= MAX_WORD_BYTES || Buffer.byteLength(word) <= MAX_WORD_BYTES
}

/** Characters are counted as PostgreSQL does: what takes two units of UTF-16 is one. */
function beginning(text: string): string {
  if (text.length <= SEARCHED_CHARACTERS) return text
  let end = 0
  for (let character = 0; character < SEARCHED_CHARACTERS && end < text.length; character += 1)
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
  return text.slice(0, end)
}
