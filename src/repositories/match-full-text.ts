import { type SearchedWords, wordsOf } from '../models/searched-words.ts'
import type { FullText, TextTerm } from './full-text.ts'

type WordsMatcher = (words: SearchedWords) => boolean

/**
 * A search as a condition on words that are not stored. Of ordinary words it finds what {@link fullTextSql} does: runs of letters and digits, between blanks and
 * punctuation of ASCII.
 *
 * It is no parser of PostgreSQL's, to which more is one word: hosts, addresses and paths (`app.example.com/login`), numbers with a sign or a point (`-5`, `1.5`), both a
 * compound with hyphens and its parts (`gpt-4o`), and in a database of locale C whatever is not ASCII (`it’s`); what looks like a tag or an entity is none. Here each of them
 * is its letters and digits, in a row: what is looked for as it stands in the body is found by both, and a part of it (`example`, `5`) only here. Phrases differ past the 16,383rd word, where
 * PostgreSQL loses count.
 */
export function fullTextMatcher(search: FullText): WordsMatcher {
  const alternatives = search
    .map((terms) => terms.flatMap(termMatcher))
    // As for PostgreSQL: a term without a word (one that is too long) asks for nothing, and what asks for nothing finds nothing.
    .filter((terms) => terms.length > 0)
  return (words) => alternatives.some((terms) => terms.every((isIn) => isIn(words)))
}

function termMatcher({ text, kind, isExcluded }: TextTerm): readonly WordsMatcher[] {
  const wanted = wordsOf(text)
  const [first] = wanted
  if (first === undefined) return []
  const isIn = kind === 'phrase' ? phraseMatcher(first, wanted) : prefixMatcher(first, wanted)
  return [isExcluded ? (words) => !isIn(words) : isIn]
}

function phraseMatcher(first: string, wanted: readonly string[]): WordsMatcher {
  if (wanted.length === 1) return ({ places }) => places.has(first)
  return ({ words, places }) =>
    places.get(first)?.some((start) => wanted.every((word, index) => words[start + index] === word)) === true
}

/** Several words in a row may each be longer, as for `to_tsquery`. */
function prefixMatcher(first: string, wanted: readonly string[]): WordsMatcher {
  if (wanted.length === 1) return ({ words }) => words.some((word) => word.startsWith(first))
  return ({ words }) =>
    words.some((_, start) => wanted.every((word, index) => words[start + index]?.startsWith(word) === true))
}
