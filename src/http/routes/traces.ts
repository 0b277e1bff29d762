import type { FastifyInstance } from 'fastify'
import { readTraceView, type TraceViewRepositories } from '../../repositories/trace-view.ts'
import { clientGone } from '../client-gone.ts'
import { jsonDocument } from '../encoders/json-document.ts'
import { sendProblem } from '../problem.ts'
import { contentTypeOf, TRACE_ID_PARAMETER } from './query-parameters.ts'

/** One trace: all its spans as its tree is read, with what was said in them. Spans alone, of a trace of any size, are `/api/v1/spans?traceId=`. */
export function traceRoutes(app: FastifyInstance, repositories: TraceViewRepositories): void {
  app.get<{ Params: { traceId: string } }>(
    '/api/v1/traces/:traceId',
    {
      schema: {
        querystring: { type: 'object', additionalProperties: false, properties: {} },
        params: { type: 'object', properties: { traceId: TRACE_ID_PARAMETER } },
      },
    },
    async ({ params: { traceId } }, reply) => {
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
      return reply.type(contentTypeOf('json')).send(jsonDocument(document, 'json'))
    },
  )
}
