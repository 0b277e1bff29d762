import { SEARCHED_CHARACTERS } from '../models/searched-words.ts'

/**
 * SQL of the words of a log record's body, as they are indexed. Only a query that has this very expression, on the column of `log_records`
 * and not on that of the view, uses the index.
 *
 * @param body the column, with its table's name where others have one of that name.
 */
export function bodyWords(body = 'body'): string {
  return `to_tsvector('simple', left(${body}, ${SEARCHED_CHARACTERS}))`
}
