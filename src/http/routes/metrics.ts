import type { FastifyInstance } from 'fastify'
import { METRIC_TYPES } from '../../models/data-point.ts'
import { type MetricRepository, POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { readAggregates } from '../../repositories/metrics/aggregates.ts'
import { readLabels, readStep } from '../../repositories/read-grouping.ts'
import { sendProblem } from '../problem.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import { COMMON_PARAMETERS, type RowLimits, TEXT_PARAMETER } from './query-parameters.ts'

export interface MetricRoutesOptions {
  readonly metrics: MetricRepository
  readonly limits: RowLimits
}

interface SeriesQuery extends FilterQuery {
  agg?: string
  by?: string
  step?: string
  type?: string
  unit?: string
}

const { name: _, ...texts } = POINT_COLUMNS.texts
const OF_ONE_METRIC = { ...POINT_COLUMNS, texts }
const params = { type: 'object', properties: { name: TEXT_PARAMETER } }

/** Metrics: what there is, how each stands, and how it went. Their points are records, see `recordRoutes`. */
export function metricRoutes(app: FastifyInstance, options: MetricRoutesOptions): void {
  const { metrics, limits } = options
  const { limit, format } = COMMON_PARAMETERS
  app.get<{ Querystring: FilterQuery }>(
    '/api/v1/metrics',
    {
      schema: {
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { limit, format, name: TEXT_PARAMETER },
        },
      },
    },
    (request, reply) => {
      const { name } = request.query
      return sendList(request, reply, {
        limits,
        read: (most, signal) =>
          metrics.streamDefinitions({ ...(name !== undefined && { name }), limit: most }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/latest',
    { schema: { querystring: filterSchema(OF_ONE_METRIC), params } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      const { name } = request.params
      return sendList(request, reply, {
        limits,
        read: (most, signal) => metrics.streamLatest({ ...conditions, name, limit: most }, signal),
      })
    },
  )
  timeSeries(app, options)
}

function timeSeries(app: FastifyInstance, { metrics, limits }: MetricRoutesOptions): void {
  const querystring = filterSchema(OF_ONE_METRIC, {
    agg: {
      ...TEXT_PARAMETER,
      description: 'avg, sum, min, max, count, last, rate, increase, p50, p99.9, …; several with commas.',
    },
    by: {
      ...TEXT_PARAMETER,
      description: 'Labels: service, environment, names of attributes; several with commas.',
    },
    step: {
      type: 'string',
      maxLength: 32,
      description: 'Time of one row: 30s, 5m, 1h. Without it one row is of all.',
    },
    type: {
      type: 'string',
      enum: METRIC_TYPES,
      description: 'Where metrics of several types have the name.',
    },
    unit: { ...TEXT_PARAMETER, description: 'Where metrics of several units have the name.' },
  })
  app.get<{ Querystring: SeriesQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/query',
    { schema: { querystring, params } },
    async (request, reply) => {
      const { agg, by, step, type, unit } = request.query
      const query = {
        name: request.params.name,
        ...(type !== undefined && { type }),
        ...(unit !== undefined && { unit }),
        conditions: readConditions(request.query),
        aggregates: readAggregates(agg),
        by: readLabels(by),
        step: readStep(step),
      }
      const answer = await sendList(request, reply, {
        limits,
        read: (limit, signal) => metrics.queryMetric({ ...query, limit }, signal),
      })
      if (answer === undefined) {
        const detail = `No metric is called ${query.name}${type === undefined ? '' : `, as a ${type}`}; /api/v1/metrics lists those there are`
        sendProblem(reply, { status: 404, title: 'No such metric', detail })
      }
      return reply
    },
  )
}
