import { type RecordFilter, TEXT_WORDS, type TextWord } from '../../repositories/filter.ts'
import type { RecordFormat } from '../encoders/json-stream.ts'
import { type CommonQuery, readLimit, readTimeRange } from './query-parameters.ts'

/** The words of a filter as parameters of a query. Which of them a route takes its schema says. */
export interface FilterQuery extends CommonQuery, Partial<Record<TextWord, string>> {
  traceId?: string
}

/** @throws BadParameter for what is no time, and for a page that is too long. */
export function readFilter(query: FilterQuery, format: RecordFormat): RecordFilter {
  const texts = TEXT_WORDS.filter((word) => query[word] !== undefined).map((word) => [word, query[word]])
  return {
    ...readTimeRange(query),
    ...Object.fromEntries(texts),
    ...(query.traceId !== undefined && { traceId: query.traceId }),
    limit: readLimit(query, format),
  }
}
