import type { FastifyInstance } from 'fastify'
import {
  EVALUATION_COLUMNS,
  EVALUATION_GROUPS,
  type EvaluationGroup,
  type EvaluationRepository,
} from '../../repositories/evaluation-repository.ts'
import { readGroups } from '../../repositories/read-grouping.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { type FilterQuery, filterSchema, readFilter } from './filter-query.ts'
import { contentTypeOf, readFormat, TEXT_PARAMETER } from './query-parameters.ts'

/** Evaluations of calls, and how they came out. */
export function evaluationRoutes(
  app: FastifyInstance,
  { evaluations }: { readonly evaluations: EvaluationRepository },
): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/evaluations',
    { schema: { querystring: filterSchema(EVALUATION_COLUMNS) } },
    async ({ query, headers }, reply) => {
      const format = readFormat(query, headers.accept)
      const rows = await evaluations.streamEvaluations(readFilter(query, format), clientGone(reply))
      return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
    },
  )
  app.get<{ Querystring: FilterQuery & { by?: string } }>(
    '/api/v1/evaluations/stats',
    { schema: { querystring: filterSchema(EVALUATION_COLUMNS, { by: TEXT_PARAMETER }) } },
    async ({ query, headers }, reply) => {
      const format = readFormat(query, headers.accept)
      // Scores of different names cannot be averaged: the name is always one of the groups.
      const known = ['name', ...Object.keys(EVALUATION_GROUPS)] as ('name' | EvaluationGroup)[]
      const groups = readGroups(query.by, known).filter((word) => word !== 'name')
      const rows = await evaluations.streamAverages(readFilter(query, format), groups, clientGone(reply))
      return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
    },
  )
}
