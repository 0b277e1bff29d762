import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { severityNumberOf } from '../../models/severity.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { parseFilterTime } from '../../repositories/filter-time.ts'
import type { LogRecordRepository } from '../../repositories/log-record-repository.ts'
import type { MetricRepository } from '../../repositories/metric-repository.ts'
import type { TraceRepository } from '../../repositories/trace-repository.ts'
import { jsonStream, type RecordFormat } from '../encoders/json-stream.ts'
import { BadParameter } from '../problem.ts'

export interface RecordRoutesOptions {
  readonly repositories: {
    readonly traces: TraceRepository
    readonly logRecords: LogRecordRepository
    readonly metrics: MetricRepository
  }
}

/** Characters of a parameter, in the path or the query. */
export const MAX_PARAMETER_LENGTH = 1024

/** A page of JSON; NDJSON has no limit unless one is asked for. */
const JSON_DEFAULT_LIMIT = 100
const JSON_MAX_LIMIT = 10_000

interface RecordQuery {
  from?: string
  to?: string
  service?: string
  name?: string
  traceId?: string
  level?: string
  limit?: number
  format?: RecordFormat
}

/** Text that PostgreSQL can compare with: it has no NUL. */
const TEXT = { type: 'string', maxLength: MAX_PARAMETER_LENGTH, pattern: '^[^\\u0000]*$' }
const COMMON = {
  from: { type: 'string', maxLength: 64 },
  to: { type: 'string', maxLength: 64 },
  service: TEXT,
  limit: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
  format: { type: 'string', enum: ['json', 'ndjson'] },
}
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
  const format = request.query.format ?? formatByAccept(request.headers.accept)
  const filter = readFilter(request.query, format)
  const gone = new AbortController()
  // A client that goes away ends its query in the server.
  reply.raw.once('close', () => gone.abort(new Error('The client went away')))
  const rows = await find(filter, gone.signal)
  return reply
    .type(format === 'json' ? 'application/json; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
    .send(jsonStream(rows, format))
}

function formatByAccept(accept: string | undefined): RecordFormat {
  return accept?.includes('application/x-ndjson') ? 'ndjson' : 'json'
}

function readFilter(query: RecordQuery, format: RecordFormat): RecordFilter {
  const { service, name, traceId } = query
  const now = Date.now()
  const time = (parameter: 'from' | 'to'): bigint | undefined => {
    const text = query[parameter]
    const parsed = text === undefined ? undefined : parseFilterTime(text, now)
    if (text !== undefined && parsed === undefined) {
      throw new BadParameter(parameter, `${parameter} must be a time: RFC 3339, unix, or relative like -15m`)
    }
    return parsed
  }
  if (format === 'json' && query.limit !== undefined && query.limit > JSON_MAX_LIMIT) {
    throw new BadParameter(
      'limit',
      `limit must be at most ${JSON_MAX_LIMIT} with format=json; use format=ndjson for more`,
    )
  }
  const from = time('from')
  const to = time('to')
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(service !== undefined && { service }),
    ...(name !== undefined && { name }),
    ...(traceId !== undefined && { traceId }),
    ...(query.level !== undefined && { minSeverityNumber: readLevel(query.level) }),
    limit: query.limit ?? (format === 'json' ? JSON_DEFAULT_LIMIT : null),
  }
}

function readLevel(level: string): number {
  const severityNumber = severityNumberOf(level)
  if (severityNumber === 0) {
    throw new BadParameter('level', 'level must be one of trace, debug, info, warn, error, fatal')
  }
  return severityNumber
}
