import type { FastifyInstance } from 'fastify'
import { groupedCsv, quantilesCsv } from '../../repositories/grouped-query.ts'
import { OPERATIONS, type ServiceRepository } from '../../repositories/service-repository.ts'
import { SPAN_COLUMNS } from '../../repositories/trace-repository.ts'
import { answers, list } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import type { RowLimits } from './query-parameters.ts'

export interface ServiceRoutesOptions {
  readonly services: ServiceRepository
  readonly limits: RowLimits
}

const { time, timeUnixNano, texts } = SPAN_COLUMNS
const RANGE = filterSchema({ time, timeUnixNano, texts: { service: texts.service ?? 'service' } })

const DOCS = {
  services: {
    operationId: 'listServices',
    tag: 'services',
    summary: 'Services with telemetry in the time range',
    responses: answers(list('Service')),
  },
  operations: {
    operationId: 'listOperations',
    tag: 'services',
    summary: 'What services do: names and kinds of spans that match, the most frequent first',
    responses: answers(list('Operation')),
  },
  dependencies: {
    operationId: 'listDependencies',
    tag: 'services',
    summary: 'Which services call which, the most frequent first',
    responses: answers(list('Dependency')),
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** Which services there are, what they do, and whom they call. */
export function serviceRoutes(app: FastifyInstance, { services, limits }: ServiceRoutesOptions): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/services',
    { schema: { querystring: RANGE }, config: { docs: DOCS.services } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        csv: ['service', 'environments', 'signals'],
        read: (limit, signal) => services.streamServices({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/operations',
    { schema: { querystring: filterSchema(SPAN_COLUMNS) }, config: { docs: DOCS.operations } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        csv: groupedCsv(OPERATIONS, { by: Object.keys(OPERATIONS.groups), step: undefined }),
        read: (limit, signal) => services.streamOperations({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/dependencies',
    { schema: { querystring: RANGE }, config: { docs: DOCS.dependencies } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        csv: ['parent', 'child', 'callCount', 'errorCount', ...quantilesCsv('durationNs')],
        read: (limit, signal) => services.streamDependencies({ ...conditions, limit }, signal),
      })
    },
  )
}
