import { BadParameter } from '../../repositories/bad-parameter.ts'
import { FILTER_WORDS, MAX_WORD_LENGTH } from '../../repositories/filter-words.ts'
import type { RecordFormat } from '../encoders/json-stream.ts'

/** A page of JSON; NDJSON has no limit unless one is asked for. */
export const JSON_DEFAULT_LIMIT = 100
const JSON_MAX_LIMIT = 10_000

/** The JSON schemas of what most routes take. */
export const COMMON_PARAMETERS = {
  from: FILTER_WORDS.from,
  to: FILTER_WORDS.to,
  limit: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
  format: { type: 'string', enum: ['json', 'ndjson'] },
}

/** Text that PostgreSQL can compare with: it has no NUL. */
export const TEXT_PARAMETER = { type: 'string', maxLength: MAX_WORD_LENGTH, pattern: '^[^\\u0000]*$' }

/** What {@link COMMON_PARAMETERS} let pass. */
export interface CommonQuery {
  from?: string
  to?: string
  limit?: number
  format?: RecordFormat
}

/** As asked for by `format`, else by the header Accept. */
export function readFormat(query: CommonQuery, accept: string | undefined): RecordFormat {
  return query.format ?? (accept?.includes('application/x-ndjson') ? 'ndjson' : 'json')
}

/** Every form that records come in; lists of other things have no CSV. */
export type BodyFormat = RecordFormat | 'csv'

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
}

/** The content type of a format. */
export function contentTypeOf(format: BodyFormat): string {
  return CONTENT_TYPES[format]
}

/** How many at most; null is all. @throws BadParameter for a page of JSON that is too long. */
export function readLimit({ limit }: Pick<CommonQuery, 'limit'>, format: BodyFormat): number | null {
  if (format === 'json' && limit !== undefined && limit > JSON_MAX_LIMIT) {
    throw new BadParameter(
      'limit',
      `limit must be at most ${JSON_MAX_LIMIT} with format=json; use format=ndjson for more`,
    )
  }
  return limit ?? (format === 'json' ? JSON_DEFAULT_LIMIT : null)
}
