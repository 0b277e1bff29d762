import { bodyWords } from '../retention/body-words.ts'
import { BadParameter } from './bad-parameter.ts'

/** What a body must have, or must not: words in a row, or the beginning of a word. */
export interface TextTerm {
  readonly text: string
  readonly kind: 'phrase' | 'prefix'
  readonly isExcluded: boolean
}

/** Any of these lists, all terms of which must hold. */
export type FullText = readonly (readonly TextTerm[])[]

/** An excluded or plain phrase in quotes, or anything up to a blank. A quote that is never closed is a blank. */
const TERM = /(-?)"([^"]*)"|([^\s"]+)/gu
const WORD = /[\p{L}\p{N}]/u

/**
 * Reads a search as people write it: `word`, `"several words in a row"`, `prefix*`, `-without`, and `OR` between alternatives, which binds less than what
 * stands side by side. Upper and lower case are the same. What looks like several words to PostgreSQL, `gpt-4o`, is looked for in a row.
 *
 * @throws BadParameter where there is no word to look for.
 */
export function parseFullText(query: string): FullText {
  const alternatives: TextTerm[][] = [[]]
  for (const [written, minus = '', quoted, bare = ''] of query.matchAll(TERM)) {
    if (written === 'OR') {
      alternatives.push([])
      continue
    }
    const term =
      quoted === undefined
        ? bareTerm(bare)
        : { text: quoted, kind: 'phrase' as const, isExcluded: minus !== '' }
    if (!WORD.test(term.text)) {
      throw new BadParameter(
        'q',
        `q has no letter or digit to look for in ${written}; contains finds any characters`,
      )
    }
    alternatives.at(-1)?.push(term)
  }
  if (alternatives.some((terms) => terms.length === 0)) {
    throw new BadParameter('q', 'q must have a word to look for, and one on each side of OR')
  }
  return alternatives
}

function bareTerm(bare: string): TextTerm {
  const isExcluded = bare.startsWith('-')
  const word = isExcluded ? bare.slice(1) : bare
  return word.endsWith('*')
    ? { text: word.replace(/\*+$/, ''), kind: 'prefix', isExcluded }
    : { text: word, kind: 'phrase', isExcluded }
}

/**
 * A search as a condition of SQL on a column of text. The words of each body are those of PostgreSQL's text search configuration `simple`, and of the
 * beginning of a very long one (see {@link bodyWords}). A body without an index is first looked through for the letters of the words, before it is taken to words.
 *
 * @param add gives the parameter for a value, `$1`.
 */
export function fullTextSql(search: FullText, column: string, add: (value: string) => string): string {
  const query = search
    .map((terms) => terms.map((term) => termSql(term, add)).join(' && '))
    .map((terms) => `(${terms})`)
  const words = `${bodyWords(column)} @@ (${query.join(' || ')})`
  const letters = search.map((terms) => terms.flatMap(lettersOf))
  // A parameter that nothing uses is an error of PostgreSQL.
  if (letters.some((found) => found.length === 0)) return words
  const first = letters.map((found) =>
    found.map((word) => `${column} ilike ${add(`%${word}%`)}`).join(' and '),
  )
  return `(${first.map((conditions) => `(${conditions})`).join(' or ')}) and ${words}`
}

function termSql({ text, kind, isExcluded }: TextTerm, add: (value: string) => string): string {
  const query =
    kind === 'phrase'
      ? `phraseto_tsquery('simple', ${add(text)})`
      : `to_tsquery('simple', ${add(`'${text.replaceAll(/['\\]/g, '$&$&')}':*`)})`
  return isExcluded ? `!! ${query}` : query
}

/** Of ASCII, and without what may be a tag or an entity, which PostgreSQL leaves out: a body with such a term has its letters as they are. */
const PLAIN = /^[^<>&\u0080-\u{10ffff}]*$/u

function lettersOf({ text, isExcluded }: TextTerm): readonly string[] {
  return isExcluded || !PLAIN.test(text) ? [] : (text.match(/[a-z0-9]+/gi) ?? [])
}
