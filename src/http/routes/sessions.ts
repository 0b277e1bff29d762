import type { FastifyInstance } from 'fastify'
import {
  SESSION_COLUMNS,
  SESSION_CSV,
  type SessionRepository,
} from '../../repositories/session-repository.ts'
import { readSessionView } from '../../repositories/session-view.ts'
import { formatOf } from '../accepted-format.ts'
import { clientGone } from '../client-gone.ts'
import { jsonDocument } from '../encoders/json-document.ts'
import { answers, list, one } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendProblem } from '../problem.ts'
import { sendBody } from '../send-body.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import {
  contentTypeOf,
  DOCUMENT_FORMAT_PARAMETER,
  DOCUMENT_FORMATS,
  type DocumentFormat,
  type RowLimits,
  readExportLimit,
  readPageLimit,
  TEXT_PARAMETER,
} from './query-parameters.ts'

export interface SessionRoutesOptions {
  readonly sessions: SessionRepository
  readonly limits: RowLimits
}

const { session: _, ...texts } = SESSION_COLUMNS.texts
const columns = { ...SESSION_COLUMNS, texts }

interface SessionQuery extends Omit<FilterQuery, 'format'> {
  format?: DocumentFormat
}

const params = {
  type: 'object',
  properties: { id: { ...TEXT_PARAMETER, description: 'Id of the session or conversation.' } },
}

const DOCS = {
  sessions: {
    operationId: 'listSessions',
    tag: 'llm',
    summary: 'Sessions of users, the newest first',
    responses: answers(list('Session')),
  },
  session: {
    operationId: 'getSession',
    tag: 'llm',
    summary: 'One session with its turns in order',
    responses: answers(one('SessionView', 'Turn'), { notFound: true }),
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** Sessions of users, and one of them with its turns in order. */
export function sessionRoutes(app: FastifyInstance, { sessions, limits }: SessionRoutesOptions): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/sessions',
    { schema: { querystring: filterSchema(columns) }, config: { docs: DOCS.sessions } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        csv: SESSION_CSV,
        read: (limit, signal) => sessions.streamSessions({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: SessionQuery; Params: { id: string } }>(
    '/api/v1/sessions/:id',
    {
      schema: { querystring: filterSchema(columns, { format: DOCUMENT_FORMAT_PARAMETER }), params },
      config: { docs: DOCS.session },
    },
    async (request, reply) => {
      const { query, params } = request
      const format = formatOf(request, DOCUMENT_FORMATS)
      const limit =
        format === 'json' ? readPageLimit(query, limits, limits.pageMaxRows) : readExportLimit(query, limits)
      const filter = { ...readConditions(query), limit, sessionId: params.id }
      const view = await readSessionView(sessions, filter, clientGone(reply))
      if (view === undefined) {
        const detail = `No span that matches has the session ${params.id}`
        sendProblem(reply, { status: 404, title: 'No such session', detail })
        return reply
      }
      const document = { head: view.head, name: 'turns', items: view.turns }
      return sendBody(request, reply.type(contentTypeOf(format)), jsonDocument(document, format))
    },
  )
}
