import type { FastifyInstance } from 'fastify'
import { METRIC_TYPES } from '../../models/data-point.ts'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import {
  LATEST_CSV,
  METRIC_CSV,
  type MetricRepository,
  POINT_COLUMNS,
} from '../../repositories/metric-repository.ts'
import { readAggregates } from '../../repositories/metrics/aggregates.ts'
import { seriesCsv } from '../../repositories/metrics/metric-query.ts'
import { readLabels, readStep } from '../../repositories/read-grouping.ts'
import { formatOf } from '../accepted-format.ts'
import { answers, list } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendProblem } from '../problem.ts'
import { sendList } from '../send-list.ts'
import { type FilterQuery, filterSchema, readConditions } from './filter-query.ts'
import {
  COMMON_PARAMETERS,
  LIST_FORMATS,
  METRIC_NAME,
  type RowLimits,
  STEP_PARAMETER,
  TEXT_PARAMETER,
} from './query-parameters.ts'

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
const params = { type: 'object', properties: { name: METRIC_NAME } }

const DOCS = {
  definitions: {
    operationId: 'listMetrics',
    tag: 'metrics',
    summary: 'Metrics that there are',
    responses: answers(list('Metric')),
  },
  latest: {
    operationId: 'listLatestDataPoints',
    tag: 'metrics',
    summary: 'The newest data point of each series of a metric',
    responses: answers(list('DataPoint')),
  },
  series: {
    operationId: 'queryMetric',
    tag: 'metrics',
    summary: 'A metric over time, by its labels',
    description:
      'Of counters over restarts; percentiles of histograms are interpolated in their buckets, as Prometheus does it.',
    responses: answers(list('SeriesPoint'), { notFound: true, hasEtag: true }),
  },
} satisfies Readonly<Record<string, RouteDocs>>

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
          properties: { limit, format, name: METRIC_NAME },
        },
      },
      config: { docs: DOCS.definitions },
    },
    (request, reply) => {
      const { name } = request.query
      return sendList(request, reply, {
        limits,
        csv: METRIC_CSV,
        read: (most, signal) =>
          metrics.streamDefinitions({ ...(name !== undefined && { name }), limit: most }, signal),
      })
    },
  )
  app.get<{ Querystring: FilterQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/latest',
    { schema: { querystring: filterSchema(OF_ONE_METRIC), params }, config: { docs: DOCS.latest } },
    (request, reply) => {
      const conditions = readConditions(request.query)
      const { name } = request.params
      return sendList(request, reply, {
        limits,
        csv: LATEST_CSV,
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
      description:
        'avg, sum, min, max, count, last, rate, increase, p50, p99.9, …; several with commas. Without it, by the type of the metric: avg, increase of counters, p50,p95 of histograms and summaries.',
      examples: ['avg,max'],
    },
    by: {
      ...TEXT_PARAMETER,
      description: 'Labels: service, environment, names of attributes; several with commas.',
    },
    step: STEP_PARAMETER,
    type: {
      type: 'string',
      enum: METRIC_TYPES,
      description: 'Where metrics of several types have the name.',
    },
    unit: { ...TEXT_PARAMETER, description: 'Where metrics of several units have the name.' },
  })
  app.get<{ Querystring: SeriesQuery; Params: { name: string } }>(
    '/api/v1/metrics/:name/query',
    { schema: { querystring, params }, config: { docs: DOCS.series } },
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
      if (query.aggregates.length === 0 && formatOf(request, LIST_FORMATS) === 'csv')
        throw new BadParameter('agg', 'agg must be given with format=csv, whose columns it names')
      const answer = await sendList(request, reply, {
        limits,
        csv: seriesCsv(query),
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
