import type { FastifyInstance } from 'fastify'
import type { GroupedSource } from '../../repositories/grouped-query.ts'
import { readGroups, readStep } from '../../repositories/read-grouping.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
  type StatisticsRepository,
} from '../../repositories/statistics-repository.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { type RowLimits, TEXT_PARAMETER } from './query-parameters.ts'

export interface StatisticsRoutesOptions {
  readonly statistics: StatisticsRepository
  readonly limits: RowLimits
}

type GroupedQuery = FilterQuery & { by?: string; step?: string }

/** What is stored, counted and measured by what it has in common, over time where a `step` is asked for. */
export function statisticsRoutes(
  app: FastifyInstance,
  { statistics, limits }: StatisticsRoutesOptions,
): void {
  const route = (url: string, source: GroupedSource, usual: string) => {
    const others = { by: TEXT_PARAMETER, step: { type: 'string', maxLength: 32 } }
    const schema = { querystring: filterSchema(source.columns, others) }
    app.get<{ Querystring: GroupedQuery }>(url, { schema }, (request, reply) => {
      const { query } = request
      const conditions = readConditions(query)
      const grouping = {
        by: readGroups(query.by ?? usual, Object.keys(source.groups)),
        step: readStep(query.step),
      }
      return sendList(request, reply, {
        limits,
        read: (limit, signal) =>
          statistics.streamGroups(source, { ...conditions, limit }, { ...grouping, signal }),
      })
    })
  }
  route('/api/v1/traces/stats', SPAN_STATISTICS, 'service')
  route('/api/v1/llm/usage', LLM_USAGE, 'model')
  route('/api/v1/logs/levels', LOG_LEVELS, 'level')
  route('/api/v1/metrics/stats', METRIC_STATISTICS, 'name')
}
