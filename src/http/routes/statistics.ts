import type { FastifyInstance } from 'fastify'
import { type GroupedSource, groupedCsv } from '../../repositories/grouped-query.ts'
import { readGroups, readStep } from '../../repositories/read-grouping.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
  type StatisticsRepository,
} from '../../repositories/statistics-repository.ts'
import { answers, list } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { groupsParameter, type RowLimits, STEP_PARAMETER } from './query-parameters.ts'

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
  const route = (url: string, source: GroupedSource, { usual, ...docs }: RouteDocs & { usual: string }) => {
    const groups = Object.keys(source.groups)
    const others = { by: groupsParameter(groups, usual), step: STEP_PARAMETER }
    const schema = { querystring: filterSchema(source.columns, others) }
    app.get<{ Querystring: GroupedQuery }>(url, { schema, config: { docs } }, (request, reply) => {
      const { query } = request
      const conditions = readConditions(query)
      const grouping = {
        by: readGroups(query.by, groups),
        step: readStep(query.step),
        ...((query.from ?? query.step) !== undefined && { now: BigInt(Date.now()) * 1_000_000n }),
      }
      return sendList(request, reply, {
        limits,
        csv: groupedCsv(source, grouping),
        read: (limit, signal) =>
          statistics.streamGroups(source, { ...conditions, limit }, { ...grouping, signal }),
      })
    })
  }
  route('/api/v1/traces/stats', SPAN_STATISTICS, {
    usual: 'service',
    operationId: 'countSpans',
    tag: 'traces',
    summary: 'Counts, rates, errors and durations of spans',
    responses: answers(list('SpanStatistics'), { hasEtag: true }),
  })
  route('/api/v1/llm/usage', LLM_USAGE, {
    usual: 'model',
    operationId: 'sumModelUsage',
    tag: 'llm',
    summary: 'Calls of models: tokens, cost, errors, latency, time to the first token',
    responses: answers(list('ModelUsage'), { hasEtag: true }),
  })
  route('/api/v1/logs/levels', LOG_LEVELS, {
    usual: 'level',
    operationId: 'countLogRecords',
    tag: 'logs',
    summary: 'Log records by level',
    responses: answers(list('LogLevelCount'), { hasEtag: true }),
  })
  route('/api/v1/metrics/stats', METRIC_STATISTICS, {
    usual: 'name',
    operationId: 'countDataPoints',
    tag: 'metrics',
    summary: 'Data points and series of metrics',
    responses: answers(list('MetricStatistics'), { hasEtag: true }),
  })
}
