import type { FilterColumns, RecordFilter } from '../../repositories/filter.ts'
import { FILTER_WORDS, type FilterWord, filterWordsOf } from '../../repositories/filter-words.ts'
import { readFilter as readConditions, type WrittenFilter } from '../../repositories/read-filter.ts'
import {
  type BodyFormat,
  COMMON_PARAMETERS,
  type CommonQuery,
  readLimit,
  TEXT_PARAMETER,
} from './query-parameters.ts'

/** The words of a filter as parameters of a query. Which of them a route takes {@link filterSchema} says. */
export interface FilterQuery
  extends CommonQuery,
    Partial<Record<Exclude<FilterWord, 'from' | 'to'>, string>> {}

/** The JSON schema of a query: the words that a view has columns for, and others of the route's own. */
export function filterSchema(columns: FilterColumns, others: Readonly<Record<string, unknown>> = {}) {
  const words = filterWordsOf(columns).map((word) => [word, FILTER_WORDS[word]])
  return {
    type: 'object',
    additionalProperties: false,
    properties: { ...COMMON_PARAMETERS, ...Object.fromEntries(words), ...others },
    ...(columns.attributes && { patternProperties: { '^attr\\.[^\\u0000]{1,256}$': TEXT_PARAMETER } }),
  }
}

/** @throws BadParameter for a word that cannot be meant, and for a page that is too long. */
export function readFilter(query: Omit<FilterQuery, 'format'>, format: BodyFormat): RecordFilter {
  return { ...readConditions(query as WrittenFilter, Date.now()), limit: readLimit(query, format) }
}
