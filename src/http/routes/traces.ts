import type { FastifyInstance } from 'fastify'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import { FILTER_WORDS } from '../../repositories/filter-words.ts'
import { readTraceToken, writeTraceToken } from '../../repositories/page-token.ts'
import { SPAN_COLUMNS, TRACE_CSV, type TraceRepository } from '../../repositories/trace-repository.ts'
import { readTraceView, type TraceViewRepositories } from '../../repositories/trace-view.ts'
import { formatOf } from '../accepted-format.ts'
import { clientGone } from '../client-gone.ts'
import { jsonDocument } from '../encoders/json-document.ts'
import { textBody } from '../encoders/text-body.ts'
import { answers, one, pages } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendProblem } from '../problem.ts'
import { sendBody } from '../send-body.ts'
import { sendRows } from '../send-rows.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { PAGING_PARAMETERS, pagedQuery, readCursor } from './paging.ts'
import {
  contentTypeOf,
  DOCUMENT_FORMAT_PARAMETER,
  DOCUMENT_FORMATS,
  type DocumentFormat,
  LIST_FORMATS,
  type RowLimits,
  readExportLimit,
  readPageLimit,
} from './query-parameters.ts'

const DOCS = {
  traces: {
    operationId: 'listTraces',
    tag: 'traces',
    summary: 'Traces with a span that matches, the newest first',
    responses: answers(pages('TraceSummary', { csv: TRACE_CSV })),
  },
  trace: {
    operationId: 'getTrace',
    tag: 'traces',
    summary: 'One trace as its tree is read, with what was said in it',
    description: 'At most 10,000 spans; all of a larger trace are /api/v1/spans?traceId=.',
    responses: answers(one('Trace', 'TraceSpan'), { notFound: true }),
  },
  span: {
    operationId: 'getSpan',
    tag: 'traces',
    summary: 'One span',
    responses: answers(one('Span'), { notFound: true }),
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** Traces that match, and one trace: all its spans as its tree is read, with what was said in them. Spans alone, of a trace of any size, are `/api/v1/spans?traceId=`. */
export function traceRoutes(
  app: FastifyInstance,
  repositories: TraceViewRepositories & { readonly limits: RowLimits },
): void {
  traceList(app, repositories)
  oneSpan(app, repositories.traces)
  app.get<{ Params: { traceId: string }; Querystring: { format?: DocumentFormat } }>(
    '/api/v1/traces/:traceId',
    {
      schema: {
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { format: DOCUMENT_FORMAT_PARAMETER },
        },
        params: { type: 'object', properties: { traceId: FILTER_WORDS.traceId } },
      },
      config: { docs: DOCS.trace },
    },
    async (request, reply) => {
      const { traceId } = request.params
      const format = formatOf(request, DOCUMENT_FORMATS)
      const view = await readTraceView(repositories, traceId, clientGone(reply))
      if (view === undefined) {
        sendProblem(reply, {
          status: 404,
          title: 'No such trace',
          detail: `No span has the trace id ${traceId}`,
        })
        return reply
      }
      const document = { head: view.head, name: 'spans', items: view.spans }
      return sendBody(request, reply.type(contentTypeOf(format)), jsonDocument(document, format))
    },
  )
}

/** One span of a trace, in the shape of the wire contract. Of several with its id the first. */
function oneSpan(app: FastifyInstance, traces: TraceRepository): void {
  const { traceId, spanId } = FILTER_WORDS
  app.get<{ Params: { traceId: string; spanId: string } }>(
    '/api/v1/traces/:traceId/spans/:spanId',
    {
      schema: {
        querystring: { type: 'object', additionalProperties: false, properties: {} },
        params: { type: 'object', properties: { traceId, spanId } },
      },
      config: { docs: DOCS.span },
    },
    async (request, reply) => {
      const { params } = request
      const filter = { ...params, order: 'asc', limit: 1 } as const
      const rows = await traces.streamSpans(filter, { form: 'json', signal: clientGone(reply) })
      for await (const [span] of rows as AsyncIterable<readonly [string]>) {
        return sendBody(request, reply.type(contentTypeOf('json')), textBody(`${span}\n`, 1))
      }
      const detail = `No span has the trace id ${params.traceId} and the span id ${params.spanId}`
      sendProblem(reply, { status: 404, title: 'No such span', detail })
      return reply
    },
  )
}

interface TraceQuery extends FilterQuery {
  cursor?: string
}

/** Traces with a span that matches: JSON page by page, or all of them as NDJSON or CSV. */
function traceList(
  app: FastifyInstance,
  { traces, limits }: { readonly traces: TraceRepository; readonly limits: RowLimits },
): void {
  const querystring = filterSchema(SPAN_COLUMNS, { cursor: PAGING_PARAMETERS.cursor })
  app.get<{ Querystring: TraceQuery }>(
    '/api/v1/traces',
    { schema: { querystring }, config: { docs: DOCS.traces } },
    async (request, reply) => {
      const { query } = request
      const format = formatOf(request, LIST_FORMATS)
      const conditions = readConditions(request.query)
      const after = readCursor(request, readTraceToken)
      if (format !== 'json') {
        if (after !== undefined) throw new BadParameter('cursor', 'cursor goes with format=json only')
        const limit = readExportLimit(query, limits)
        const rows = traces.streamTraces({ ...conditions, limit }, undefined, clientGone(reply))
        return sendRows(request, reply, { rows, format, csv: TRACE_CSV })
      }
      const limit = readPageLimit(query, limits)
      const page = await traces.pageTraces({ ...conditions, limit }, after, clientGone(reply))
      const cursor = page.end === undefined ? null : writeTraceToken(page.end, pagedQuery(request))
      const body = `{"data":[\n${page.traces.join(',\n')}\n],"nextCursor":${JSON.stringify(cursor)}}\n`
      return sendBody(request, reply.type(contentTypeOf('json')), textBody(body, page.traces.length))
    },
  )
}
