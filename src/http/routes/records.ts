import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { severityNumberOf } from '../../models/severity.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import type { LogRecordRepository } from '../../repositories/log-record-repository.ts'
import type { MetricRepository } from '../../repositories/metric-repository.ts'
import type { TraceRepository } from '../../repositories/trace-repository.ts'
import { jsonStream, type RecordFormat } from '../encoders/json-stream.ts'
import { BadParameter } from '../problem.ts'
import {
  COMMON_PARAMETERS,
  type CommonQuery,
  contentTypeOf,
  MAX_PARAMETER_LENGTH,
  readFormat,
  readLimit,
  readTimeRange,
} from './query-parameters.ts'

export interface RecordRoutesOptions {
  readonly repositories: {
    readonly traces: TraceRepository
    readonly logRecords: LogRecordRepository
    readonly metrics: MetricRepository
  }
}

interface RecordQuery extends CommonQuery {
  service?: string
  name?: string
  traceId?: string
  level?: string
}

/** Text that PostgreSQL can compare with: it has no NUL. */
const TEXT = { type: 'string', maxLength: MAX_PARAMETER_LENGTH, pattern: '^[^\\u0000]*$' }
const COMMON = { ...COMMON_PARAMETERS, service: TEXT }
const TRACE_ID = { type: 'string', pattern: '^[0-9a-fA-F]{32}$' }

type Find = (filter: RecordFilter, signal: AbortSignal) => Promise<Readable>

/** Stored records that match, newest first. */
export function recordRoutes(app: FastifyInstance, { repositories }: RecordRoutesOptions): void {
  const { traces, logRecords, metrics } = repositories
  const route = (url: string, properties: Record<string, unknown>, find: Find) =>
    app.get<{ Querystring: RecordQuery }>(
      url,
      { schema: { querystring: { type: 'object', additionalProperties: false, properties } } },
      (request, reply) => answer(request, reply, find),
    )
  route('/api/v1/spans', { ...COMMON, name: TEXT, traceId: TRACE_ID }, (filter, signal) =>
    traces.streamSpans(filter, signal),
  )
  route(
    '/api/v1/logs',
    { ...COMMON, traceId: TRACE_ID, level: { type: 'string', maxLength: 32 } },
    (filter, signal) => logRecords.streamLogRecords(filter, signal),
  )
  const { limit, format } = COMMON
  route('/api/v1/metrics', { limit, format, name: TEXT }, (filter, signal) =>
    metrics.streamDefinitions(filter, signal),
  )
  app.get<{ Querystring: RecordQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/points',
    {
      schema: {
        querystring: { type: 'object', additionalProperties: false, properties: COMMON },
        params: { type: 'object', properties: { name: TEXT } },
      },
    },
    (request, reply) =>
      answer(request, reply, (filter, signal) =>
        metrics.streamPoints({ ...filter, name: request.params.name }, signal),
      ),
  )
}

async function answer(
  request: FastifyRequest<{ Querystring: RecordQuery }>,
  reply: FastifyReply,
  find: Find,
): Promise<FastifyReply> {
  const format = readFormat(request.query, request.headers.accept)
  const filter = readFilter(request.query, format)
  const gone = new AbortController()
  // A client that goes away ends its query in the server.
  reply.raw.once('close', () => gone.abort(new Error('The client went away')))
  const rows = await find(filter, gone.signal)
  return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
}

function readFilter(query: RecordQuery, format: RecordFormat): RecordFilter {
  const { service, name, traceId } = query
  return {
    ...readTimeRange(query),
    ...(service !== undefined && { service }),
    ...(name !== undefined && { name }),
    ...(traceId !== undefined && { traceId }),
    ...(query.level !== undefined && { minSeverityNumber: readLevel(query.level) }),
    limit: readLimit(query, format),
  }
}

function readLevel(level: string): number {
  const severityNumber = severityNumberOf(level)
  if (severityNumber === 0) {
    throw new BadParameter('level', 'level must be one of trace, debug, info, warn, error, fatal')
  }
  return severityNumber
}
