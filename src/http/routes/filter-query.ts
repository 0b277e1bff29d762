import type { FilterColumns } from '../../repositories/filter.ts'
import { FILTER_WORDS, type FilterWord, filterWordsOf } from '../../repositories/filter-words.ts'
import { type Conditions, readFilter, type WrittenFilter } from '../../repositories/read-filter.ts'
import { COMMON_PARAMETERS, type CommonQuery, TEXT_PARAMETER } from './query-parameters.ts'

/** The words of a filter as parameters of a query. Which of them a route takes {@link filterSchema} says. */
export interface FilterQuery
  extends CommonQuery,
    Partial<Record<Exclude<FilterWord, 'from' | 'to'>, string>> {}

/** Of parameters `attr.<name>`. */
const ATTRIBUTE_PARAMETER = {
  ...TEXT_PARAMETER,
  description:
    'attr.<name>=<value>, any number of them, such as attr.http.route=/chat: the attribute is there and has this value, as text or as what JSON makes of it (42, true).',
}

/** The JSON schema of a query: the words that a view has columns for, and others of the route's own. */
export function filterSchema(columns: FilterColumns, others: Readonly<Record<string, unknown>> = {}) {
  const words = filterWordsOf(columns).map((word) => [word, FILTER_WORDS[word]])
  return {
    type: 'object',
    additionalProperties: false,
    properties: { ...COMMON_PARAMETERS, ...Object.fromEntries(words), ...others },
    ...(columns.attributes && { patternProperties: { '^attr\\.[^\\u0000]{1,256}$': ATTRIBUTE_PARAMETER } }),
  }
}

/** @throws BadParameter for a word that cannot be meant. */
export function readConditions(query: Omit<FilterQuery, 'format'>): Conditions {
  return readFilter(query as WrittenFilter, Date.now())
}
