import type { FastifyRequest } from 'fastify'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { readPageToken } from '../../repositories/page-token.ts'
import type { FilterQuery } from './filter-query.ts'
import { type BodyFormat, RECORD_FORMATS } from './query-parameters.ts'

/** The JSON schemas of what says which records come, in which order and in which form. */
export const PAGING_PARAMETERS = {
  format: {
    type: 'string',
    enum: RECORD_FORMATS,
    description: 'Form of the answer: json comes in pages. Without it: by Accept, else json.',
  },
  order: {
    type: 'string',
    enum: ['asc', 'desc'],
    description:
      'By time. Without it: desc in JSON; all else by partitions, the newest first, without order in them, which is fastest.',
  },
  cursor: {
    type: 'string',
    maxLength: 256,
    description:
      'The nextCursor of the page before; the other parameters must be as they were, but for limit.',
  },
}

export interface PageQuery extends Omit<FilterQuery, 'format'> {
  format?: BodyFormat
  order?: 'asc' | 'desc'
  cursor?: string
}

/** Where the page before ended, and the order. @throws BadParameter for a cursor that is none, or of another query. */
export function readPaging(
  request: FastifyRequest<{ Querystring: PageQuery }>,
): Pick<RecordFilter, 'order' | 'after'> {
  const { order } = request.query
  const after = readCursor(request, readPageToken)
  return { ...(order !== undefined && { order }), ...(after !== undefined && { after }) }
}

/** @param readToken says `foreign` of a token of another query. @throws BadParameter as {@link readPaging}. */
export function readCursor<Position extends object>(
  request: FastifyRequest<{ Querystring: Pick<PageQuery, 'cursor'> }>,
  readToken: (token: string, query: unknown) => Position | 'foreign' | undefined,
): Position | undefined {
  const { cursor } = request.query
  if (cursor === undefined) return undefined
  const after = readToken(cursor, pagedQuery(request))
  if (after === undefined)
    throw new BadParameter('cursor', 'cursor must be the nextCursor of the page before')
  if (after !== 'foreign') return after
  const detail = 'cursor is of another query: the other parameters must be those of the page before'
  throw new BadParameter('cursor', detail)
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
