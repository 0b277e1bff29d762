import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { severityNumberOf } from '../../models/severity.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import type { LogRecordRepository } from '../../repositories/log-record-repository.ts'
import type { MetricRepository } from '../../repositories/metric-repository.ts'
import type { TraceRepository } from '../../repositories/trace-repository.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { BadParameter } from '../problem.ts'
import { type FilterQuery, readFilter } from './filter-query.ts'
import {
  COMMON_PARAMETERS,
  contentTypeOf,
  readFormat,
  TEXT_PARAMETER,
  TRACE_ID_PARAMETER,
} from './query-parameters.ts'

export interface RecordRoutesOptions {
  readonly repositories: {
    readonly traces: TraceRepository
    readonly logRecords: LogRecordRepository
    readonly metrics: MetricRepository
  }
}

interface RecordQuery extends FilterQuery {
  level?: string
}

const TEXT = TEXT_PARAMETER
const TRACE_ID = TRACE_ID_PARAMETER
const COMMON = { ...COMMON_PARAMETERS, service: TEXT }
/** Words for spans that are calls of models. */
const GEN_AI = { model: TEXT, provider: TEXT, operation: TEXT, prompt: TEXT, user: TEXT, session: TEXT }

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
  route('/api/v1/spans', { ...COMMON, ...GEN_AI, name: TEXT, traceId: TRACE_ID }, (filter, signal) =>
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
  const { query } = request
  const format = readFormat(query, request.headers.accept)
  const filter = {
    ...readFilter(query, format),
    ...(query.level !== undefined && { minSeverityNumber: readLevel(query.level) }),
  }
  const rows = await find(filter, clientGone(reply))
  return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
}

function readLevel(level: string): number {
  const severityNumber = severityNumberOf(level)
  if (severityNumber === 0) {
    throw new BadParameter('level', 'level must be one of trace, debug, info, warn, error, fatal')
  }
  return severityNumber
}
