import type { FastifyInstance } from 'fastify'
import type { ServiceRepository } from '../../repositories/service-repository.ts'
import { SPAN_COLUMNS } from '../../repositories/trace-repository.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import type { RowLimits } from './query-parameters.ts'

export interface ServiceRoutesOptions {
  readonly services: ServiceRepository
  readonly limits: RowLimits
}

const { time, timeUnixNano, texts } = SPAN_COLUMNS
const RANGE = filterSchema({ time, timeUnixNano, texts: { service: texts.service ?? 'service' } })

/** Which services there are, what they do, and whom they call. */
export function serviceRoutes(app: FastifyInstance, { services, limits }: ServiceRoutesOptions): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/services',
    { schema: { querystring: RANGE } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        read: (limit, signal) => services.streamServices({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/operations',
    { schema: { querystring: filterSchema(SPAN_COLUMNS) } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        read: (limit, signal) => services.streamOperations({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/dependencies',
    { schema: { querystring: RANGE } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        read: (limit, signal) => services.streamDependencies({ ...conditions, limit }, signal),
      })
    },
  )
}
