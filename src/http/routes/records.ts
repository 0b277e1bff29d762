import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RecordFilter } from '../../repositories/filter.ts'
import { LOG_RECORD_COLUMNS, type LogRecordRepository } from '../../repositories/log-record-repository.ts'
import { type MetricRepository, POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { SPAN_COLUMNS, type TraceRepository } from '../../repositories/trace-repository.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { type FilterQuery, filterSchema, readFilter } from './filter-query.ts'
import { COMMON_PARAMETERS, contentTypeOf, readFormat, TEXT_PARAMETER } from './query-parameters.ts'

export interface RecordRoutesOptions {
  readonly repositories: {
    readonly traces: TraceRepository
    readonly logRecords: LogRecordRepository
    readonly metrics: MetricRepository
  }
}

type Find = (filter: RecordFilter, signal: AbortSignal) => Promise<Readable>

/** Stored records that match, newest first. */
export function recordRoutes(app: FastifyInstance, { repositories }: RecordRoutesOptions): void {
  const { traces, logRecords, metrics } = repositories
  const route = (url: string, querystring: object, find: Find) =>
    app.get<{ Querystring: FilterQuery }>(url, { schema: { querystring } }, (request, reply) =>
      answer(request, reply, find),
    )
  route('/api/v1/spans', filterSchema(SPAN_COLUMNS), (filter, signal) => traces.streamSpans(filter, signal))
  route('/api/v1/logs', filterSchema(LOG_RECORD_COLUMNS), (filter, signal) =>
    logRecords.streamLogRecords(filter, signal),
  )
  const { limit, format } = COMMON_PARAMETERS
  const properties = { limit, format, name: TEXT_PARAMETER }
  route('/api/v1/metrics', { type: 'object', additionalProperties: false, properties }, (filter, signal) =>
    metrics.streamDefinitions(filter, signal),
  )
  const { name: _, ...texts } = POINT_COLUMNS.texts
  app.get<{ Querystring: FilterQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/points',
    {
      schema: {
        querystring: filterSchema({ ...POINT_COLUMNS, texts }),
        params: { type: 'object', properties: { name: TEXT_PARAMETER } },
      },
    },
    (request, reply) =>
      answer(request, reply, (filter, signal) =>
        metrics.streamPoints({ ...filter, name: request.params.name }, signal),
      ),
  )
}

async function answer(
  request: FastifyRequest<{ Querystring: FilterQuery }>,
  reply: FastifyReply,
  find: Find,
): Promise<FastifyReply> {
  const format = readFormat(request.query, request.headers.accept)
  const rows = await find(readFilter(request.query, format), clientGone(reply))
  return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
}
