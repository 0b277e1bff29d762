import type { FastifyInstance } from 'fastify'
import {
  EVALUATION_COLUMNS,
  EVALUATION_GROUPS,
  type EvaluationGroup,
  type EvaluationRepository,
} from '../../repositories/evaluation-repository.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { BadParameter } from '../problem.ts'
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
      const groups = readGroups(query.by)
      const rows = await evaluations.streamAverages(readFilter(query, format), groups, clientGone(reply))
      return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
    },
  )
}

/** Scores of different names cannot be averaged: the name is always one of the groups. */
function readGroups(by = ''): readonly EvaluationGroup[] {
  const words = [...new Set(by.split(',').map((word) => word.trim()))].filter(
    (word) => word !== '' && word !== 'name',
  )
  const unknown = words.find((word) => !Object.hasOwn(EVALUATION_GROUPS, word))
  if (unknown !== undefined) {
    const known = ['name', ...Object.keys(EVALUATION_GROUPS)].join(', ')
    throw new BadParameter('by', `by must be any of ${known}, with commas between them, not ${unknown}`)
  }
  return words as EvaluationGroup[]
}
