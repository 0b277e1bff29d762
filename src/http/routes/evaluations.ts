import type { FastifyInstance } from 'fastify'
import {
  EVALUATION_COLUMNS,
  EVALUATION_GROUPS,
  type EvaluationGroup,
  type EvaluationRepository,
} from '../../repositories/evaluation-repository.ts'
import { readGroups } from '../../repositories/read-grouping.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { type RowLimits, TEXT_PARAMETER } from './query-parameters.ts'

export interface EvaluationRoutesOptions {
  readonly evaluations: EvaluationRepository
  readonly limits: RowLimits
}

/** Evaluations of calls, and how they came out. */
export function evaluationRoutes(
  app: FastifyInstance,
  { evaluations, limits }: EvaluationRoutesOptions,
): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/evaluations',
    { schema: { querystring: filterSchema(EVALUATION_COLUMNS) } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        read: (limit, signal) => evaluations.streamEvaluations({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery & { by?: string } }>(
    '/api/v1/evaluations/stats',
    { schema: { querystring: filterSchema(EVALUATION_COLUMNS, { by: TEXT_PARAMETER }) } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      // Scores of different names cannot be averaged: the name is always one of the groups.
      const known = ['name', ...Object.keys(EVALUATION_GROUPS)] as ('name' | EvaluationGroup)[]
      const groups = readGroups(request.query.by, known).filter((word) => word !== 'name')
      return sendList(request, reply, {
        limits,
        read: (limit, signal) => evaluations.streamAverages({ ...conditions, limit }, groups, signal),
      })
    },
  )
}
