import type { FastifyInstance } from 'fastify'
import { readTraceView, type TraceViewRepositories } from '../../repositories/trace-view.ts'
import { clientGone } from '../client-gone.ts'
import { jsonDocument } from '../encoders/json-document.ts'
import { sendProblem } from '../problem.ts'
import {
  COMMON_PARAMETERS,
  type CommonQuery,
  contentTypeOf,
  readFormat,
  TRACE_ID_PARAMETER,
} from './query-parameters.ts'

/** One trace: all its spans as its tree is read, with what was said in them. */
export function traceRoutes(app: FastifyInstance, repositories: TraceViewRepositories): void {
  const { format } = COMMON_PARAMETERS
  app.get<{ Querystring: CommonQuery; Params: { traceId: string } }>(
    '/api/v1/traces/:traceId',
    {
      schema: {
        querystring: { type: 'object', additionalProperties: false, properties: { format } },
        params: { type: 'object', properties: { traceId: TRACE_ID_PARAMETER } },
      },
    },
    async ({ query, headers, params: { traceId } }, reply) => {
      const asked = readFormat(query, headers.accept)
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
      return reply.type(contentTypeOf(asked)).send(jsonDocument(document, asked))
    },
  )
}
