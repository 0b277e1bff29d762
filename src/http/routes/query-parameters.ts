import { parseFilterTime } from '../../repositories/filter-time.ts'
import type { RecordFormat } from '../encoders/json-stream.ts'
import { BadParameter } from '../problem.ts'

/** Characters of a parameter, in the path or the query. */
export const MAX_PARAMETER_LENGTH = 1024

/** A page of JSON; NDJSON has no limit unless one is asked for. */
export const JSON_DEFAULT_LIMIT = 100
const JSON_MAX_LIMIT = 10_000

/** The JSON schemas of what most routes take. */
export const COMMON_PARAMETERS = {
  from: { type: 'string', maxLength: 64 },
  to: { type: 'string', maxLength: 64 },
  limit: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
  format: { type: 'string', enum: ['json', 'ndjson'] },
}

/** Text that PostgreSQL can compare with: it has no NUL. */
export const TEXT_PARAMETER = { type: 'string', maxLength: MAX_PARAMETER_LENGTH, pattern: '^[^\\u0000]*$' }
export const TRACE_ID_PARAMETER = { type: 'string', pattern: '^[0-9a-fA-F]{32}$' }

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

/** The time range, in unix nanoseconds. @throws BadParameter for what is no time. */
export function readTimeRange(query: Pick<CommonQuery, 'from' | 'to'>): {
  readonly from?: bigint
  readonly to?: bigint
} {
  const now = Date.now()
  const time = (parameter: 'from' | 'to'): bigint | undefined => {
    const text = query[parameter]
    const parsed = text === undefined ? undefined : parseFilterTime(text, now)
    if (text !== undefined && parsed === undefined) {
      throw new BadParameter(parameter, `${parameter} must be a time: RFC 3339, unix, or relative like -15m`)
    }
    return parsed
  }
  const from = time('from')
  const to = time('to')
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
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
