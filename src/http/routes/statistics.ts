import type { FastifyInstance } from 'fastify'
import type { GroupedSource } from '../../repositories/grouped-query.ts'
import { readGroups, readStep } from '../../repositories/read-grouping.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  SPAN_STATISTICS,
  type StatisticsRepository,
} from '../../repositories/statistics-repository.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream } from '../encoders/json-stream.ts'
import { type FilterQuery, filterSchema, readFilter } from './filter-query.ts'
import { contentTypeOf, readFormat, TEXT_PARAMETER } from './query-parameters.ts'

type GroupedQuery = FilterQuery & { by?: string; step?: string }

/** What is stored, counted and measured by what it has in common, over time where a `step` is asked for. */
export function statisticsRoutes(
  app: FastifyInstance,
  { statistics }: { readonly statistics: StatisticsRepository },
): void {
  const route = (url: string, source: GroupedSource, usual: string) => {
    const others = { by: TEXT_PARAMETER, step: { type: 'string', maxLength: 32 } }
    const schema = { querystring: filterSchema(source.columns, others) }
    app.get<{ Querystring: GroupedQuery }>(url, { schema }, async ({ query, headers }, reply) => {
      const format = readFormat(query, headers.accept)
      const by = readGroups(query.by ?? usual, Object.keys(source.groups))
      const grouping = { by, step: readStep(query.step), signal: clientGone(reply) }
      const rows = await statistics.streamGroups(source, readFilter(query, format), grouping)
      return reply.type(contentTypeOf(format)).send(jsonStream(rows, format))
    })
  }
  route('/api/v1/traces/stats', SPAN_STATISTICS, 'service')
  route('/api/v1/llm/usage', LLM_USAGE, 'model')
  route('/api/v1/logs/levels', LOG_LEVELS, 'level')
}
