import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { LOG_RECORDS, type LogRecordRepository } from '../../repositories/log-record-repository.ts'
import { type MetricRepository, POINT_COLUMNS, POINTS } from '../../repositories/metric-repository.ts'
import { type RecordPosition, writePageToken } from '../../repositories/page-token.ts'
import type { RecordSource } from '../../repositories/record-source.ts'
import type { StreamOptions } from '../../repositories/stream-records.ts'
import { SPANS, type TraceRepository } from '../../repositories/trace-repository.ts'
import { formatOf } from '../accepted-format.ts'
import { clientGone } from '../client-gone.ts'
import { csvBody } from '../encoders/csv-body.ts'
import { jsonPage } from '../encoders/json-page.ts'
import { ndjsonBody } from '../encoders/ndjson-body.ts'
import { parquetBody } from '../encoders/parquet-body.ts'
import { answers, pages } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendBody, sendPlain } from '../send-body.ts'
import { filterSchema, readConditions } from './filter-query.ts'
import { PAGING_PARAMETERS, type PageQuery, pagedQuery, readPaging } from './paging.ts'
import {
  contentTypeOf,
  METRIC_NAME,
  RECORD_FORMATS,
  type RowLimits,
  readExportLimit,
  readPageLimit,
} from './query-parameters.ts'

export interface RecordRoutesOptions {
  readonly repositories: {
    readonly traces: TraceRepository
    readonly logRecords: LogRecordRepository
    readonly metrics: MetricRepository
  }
  readonly limits: RowLimits
}

interface Reads {
  readonly limits: RowLimits
  readonly source: RecordSource
  readonly stream: (filter: RecordFilter, options: StreamOptions) => Promise<Readable>
  readonly page: (filter: RecordFilter & { readonly limit: number }, signal: AbortSignal) => Promise<Readable>
}

const DOCS = {
  spans: {
    operationId: 'listSpans',
    tag: 'traces',
    summary: 'Spans that match',
    responses: answers(pages('Span', SPANS)),
  },
  logs: {
    operationId: 'listLogRecords',
    tag: 'logs',
    summary: 'Log records that match',
    responses: answers(pages('LogRecord', LOG_RECORDS)),
  },
  points: {
    operationId: 'listDataPoints',
    tag: 'metrics',
    summary: 'Data points of a metric',
    responses: answers(pages('DataPoint', POINTS)),
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** Stored records that match: JSON page by page, the newest first, or all of them as NDJSON, CSV or Parquet. */
export function recordRoutes(app: FastifyInstance, { repositories, limits }: RecordRoutesOptions): void {
  const { traces, logRecords, metrics } = repositories
  const route = (url: string, docs: RouteDocs, reads: Reads) => {
    const schema = { querystring: filterSchema(reads.source.columns, PAGING_PARAMETERS) }
    app.get<{ Querystring: PageQuery }>(url, { schema, config: { docs } }, (request, reply) =>
      answer(request, reply, reads),
    )
  }
  route('/api/v1/spans', DOCS.spans, {
    limits,
    source: SPANS,
    stream: (filter, options) => traces.streamSpans(filter, options),
    page: (filter, signal) => traces.pageSpans(filter, signal),
  })
  route('/api/v1/logs', DOCS.logs, {
    limits,
    source: LOG_RECORDS,
    stream: (filter, options) => logRecords.streamLogRecords(filter, options),
    page: (filter, signal) => logRecords.pageLogRecords(filter, signal),
  })
  const { name: _, ...texts } = POINT_COLUMNS.texts
  app.get<{ Querystring: PageQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/points',
    {
      schema: {
        querystring: filterSchema({ ...POINT_COLUMNS, texts }, PAGING_PARAMETERS),
        params: { type: 'object', properties: { name: METRIC_NAME } },
      },
      config: { docs: DOCS.points },
    },
    (request, reply) => {
      const { name } = request.params
      return answer(request, reply, {
        limits,
        source: POINTS,
        stream: (filter, options) => metrics.streamPoints({ ...filter, name }, options),
        page: (filter, signal) => metrics.pagePoints({ ...filter, name }, signal),
      })
    },
  )
}

async function answer(
  request: FastifyRequest<{ Querystring: PageQuery }>,
  reply: FastifyReply,
  { limits, source, stream, page }: Reads,
): Promise<FastifyReply> {
  const format = formatOf(request, RECORD_FORMATS)
  const filter = { ...readConditions(request.query), ...readPaging(request) }
  reply.type(contentTypeOf(format))
  const signal = clientGone(reply)
  if (format === 'json') {
    const limit = readPageLimit(request.query, limits)
    const rows = await page({ ...filter, limit }, signal)
    const token = (position: RecordPosition) => writePageToken(position, pagedQuery(request))
    return sendBody(request, reply, jsonPage(rows, limit, token))
  }
  if (filter.after !== undefined) throw new BadParameter('cursor', 'cursor goes with format=json only')
  const form = format === 'ndjson' ? 'json' : format
  const rows = await stream({ ...filter, limit: readExportLimit(request.query, limits) }, { form, signal })
  // It is compressed as it is.
  if (format === 'parquet') return sendPlain(request, reply, parquetBody(rows, source.parquet))
  const names = source.csv.map(([name]) => name)
  return sendBody(request, reply, format === 'csv' ? csvBody(rows, names) : ndjsonBody(rows))
}
