import type { FastifyInstance } from 'fastify'
import { SESSION_COLUMNS, type SessionRepository } from '../../repositories/session-repository.ts'
import { readSessionView } from '../../repositories/session-view.ts'
import { clientGone } from '../client-gone.ts'
import { jsonDocument } from '../encoders/json-document.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { sendProblem } from '../problem.ts'
import { type FilterQuery, filterSchema, readFilter } from './filter-query.ts'
import { contentTypeOf, readFormat, TEXT_PARAMETER } from './query-parameters.ts'

const { session: _, ...texts } = SESSION_COLUMNS.texts
const schema = { querystring: filterSchema({ ...SESSION_COLUMNS, texts }) }

/** Sessions of users, and one of them with its turns in order. */
export function sessionRoutes(
  app: FastifyInstance,
  { sessions }: { readonly sessions: SessionRepository },
): void {
  app.get<{ Querystring: FilterQuery }>('/api/v1/sessions', { schema }, async ({ query, headers }, reply) => {
    const format = readFormat(query, headers.accept)
    const rows = await sessions.streamSessions(readFilter(query, format), clientGone(reply))
    return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
  })
  app.get<{ Querystring: FilterQuery; Params: { id: string } }>(
    '/api/v1/sessions/:id',
    { schema: { ...schema, params: { type: 'object', properties: { id: TEXT_PARAMETER } } } },
    async ({ query, headers, params }, reply) => {
      const format = readFormat(query, headers.accept)
      const filter = { ...readFilter(query, format), sessionId: params.id }
      const view = await readSessionView(sessions, filter, clientGone(reply))
      if (view === undefined) {
        const detail = `No span that matches has the session ${params.id}`
        sendProblem(reply, { status: 404, title: 'No such session', detail })
        return reply
      }
      const document = { head: view.head, name: 'turns', items: view.turns }
      return reply.type(contentTypeOf(format)).send(jsonDocument(document, format))
    },
  )
}
