import type { FastifyRequest } from 'fastify'
import type { RecordFilter } from '../../repositories/filter.ts'
import { readPageToken } from '../../repositories/page-token.ts'
import { BadParameter } from '../problem.ts'
import type { FilterQuery } from './filter-query.ts'
import { type BodyFormat, readFormat } from './query-parameters.ts'

/** The JSON schemas of what says which records come, in which order and in which form. */
export const PAGING_PARAMETERS = {
  format: { type: 'string', enum: ['json', 'ndjson', 'csv'] },
  order: { type: 'string', enum: ['asc', 'desc'] },
  cursor: { type: 'string', maxLength: 256 },
}

export interface PageQuery extends Omit<FilterQuery, 'format'> {
  format?: BodyFormat
  order?: 'asc' | 'desc'
  cursor?: string
}

/** As asked for by `format`, else by the header Accept. */
export function readRecordFormat({ query, headers }: FastifyRequest<{ Querystring: PageQuery }>): BodyFormat {
  if (query.format !== undefined) return query.format
  return headers.accept?.includes('text/csv') ? 'csv' : readFormat({}, headers.accept)
}

/** @throws BadParameter for a cursor that is none, or of another query. */
export function readPaging(
  request: FastifyRequest<{ Querystring: PageQuery }>,
): Pick<RecordFilter, 'order' | 'after'> {
  const { order, cursor } = request.query
  if (cursor === undefined) return order === undefined ? {} : { order }
  const after = readPageToken(cursor, pagedQuery(request))
  if (after === undefined)
    throw new BadParameter('cursor', 'cursor must be the nextCursor of the page before')
  if (after === 'foreign') {
    throw new BadParameter(
      'cursor',
      'cursor is of another query: the other parameters must be those of the page before',
    )
  }
  return { after, ...(order !== undefined && { order }) }
}

/** What makes two requests pages of one query: all but which page, and how much of it. Relative times are compared as they are written. */
export function pagedQuery({
  query,
  routeOptions,
  params,
}: FastifyRequest<{ Querystring: PageQuery }>): unknown {
  const { cursor: _, limit: __, format: ___, ...words } = query
  return [routeOptions.url, params, Object.entries(words).sort(([a], [b]) => (a < b ? -1 : 1))]
}
