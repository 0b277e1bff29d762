import type { FastifyInstance } from 'fastify'
import {
  AVERAGE_CSV,
  EVALUATION_COLUMNS,
  EVALUATION_CSV,
  EVALUATION_GROUPS,
  type EvaluationGroup,
  type EvaluationRepository,
} from '../../repositories/evaluation-repository.ts'
import { readGroups } from '../../repositories/read-grouping.ts'
import { answers, list } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { groupsParameter, type RowLimits } from './query-parameters.ts'

export interface EvaluationRoutesOptions {
  readonly evaluations: EvaluationRepository
  readonly limits: RowLimits
}

/** Scores of different names cannot be averaged: the name is always one of the groups. */
const GROUPS = ['name', ...Object.keys(EVALUATION_GROUPS)] as readonly ('name' | EvaluationGroup)[]

const DOCS = {
  evaluations: {
    operationId: 'listEvaluations',
    tag: 'llm',
    summary: 'Evaluations with what they judge, the newest first',
    responses: answers(list('Evaluation')),
  },
  statistics: {
    operationId: 'averageEvaluations',
    tag: 'llm',
    summary: 'How evaluations came out, by their names',
    responses: answers(list('EvaluationStatistics')),
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** Evaluations of calls, and how they came out. */
export function evaluationRoutes(
  app: FastifyInstance,
  { evaluations, limits }: EvaluationRoutesOptions,
): void {
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/evaluations',
    { schema: { querystring: filterSchema(EVALUATION_COLUMNS) }, config: { docs: DOCS.evaluations } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      return sendList(request, reply, {
        limits,
        csv: EVALUATION_CSV,
        read: (limit, signal) => evaluations.streamEvaluations({ ...conditions, limit }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery & { by?: string } }>(
    '/api/v1/evaluations/stats',
    {
      schema: { querystring: filterSchema(EVALUATION_COLUMNS, { by: groupsParameter(GROUPS) }) },
      config: { docs: DOCS.statistics },
    },
    (request, reply) => {
      const conditions = readConditions(request.query)
      const groups = readGroups(request.query.by, GROUPS).filter((word) => word !== 'name')
      return sendList(request, reply, {
        limits,
        csv: ['name', ...groups, ...AVERAGE_CSV],
        read: (limit, signal) => evaluations.streamAverages({ ...conditions, limit }, groups, signal),
      })
    },
  )
}
