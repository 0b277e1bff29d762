import { Readable } from 'node:stream'
import type pg from 'pg'
import type { MetricType } from '../../models/data-point.ts'
import {
  DISTRIBUTION_ROW,
  type DistributionRow,
  PARTS_ORDER,
  POINT_PARTS,
  ROLLUP_PARTS,
} from '../../retention/rollups/metrics/distribution-row.ts'
import { BadParameter } from '../bad-parameter.ts'
import { readRows, type SqlQuery, streamRows, streamSnapshot } from '../stream-rows.ts'
import { aggregatesOf, quantileOf } from './aggregates.ts'
import { distributionSeries, type Series } from './distribution-series.ts'
import {
  HOUR_NANOS,
  type MetricParts,
  type PartsOptions,
  partsSql,
  pointParts,
  readMetricParts,
} from './metric-parts.ts'
import { LOOKBACK, type MetricQuery } from './metric-query.ts'
import { needIncrease, numberSeriesQuery } from './number-series.ts'
import { type FoundMetric, seriesSql } from './series-sql.ts'

const NUMBERS: ReadonlySet<MetricType> = new Set(['gauge', 'counter', 'updowncounter'])

/**
 * Reads a time series: a stream of rows with one column, JSON text `{timeUnixNano, labels: {…}, …aggregates}`, in the order of time, then of labels; `timeUnixNano` is the
 * beginning of the step, and left out without one.
 *
 * Of gauges the aggregates are of the values of all points; `last` is the newest. Of counters `increase` and `sum` are what was counted, over restarts, `rate` that by the second. Of histograms and summaries all are
 * of what was measured: `count` and `increase` how often, `rate` that by the second; percentiles are interpolated in the buckets (see `HistogramSum`), those of a summary are its newest. What cannot be known is null.
 *
 * Where the step is of whole hours, or there is none, rollups answer, and points only for what these do not have: the answer is the same, and has what retention has taken away, too. But
 * percentiles of gauges are of points alone.
 *
 * @returns undefined when there is no such metric.
 * @throws BadParameter for an aggregate that cannot be told of the metric's type, for a rate without a time range, where metrics of several types or units have the name.
 */
export async function queryMetric(
  pool: pg.Pool,
  query: MetricQuery,
  signal: AbortSignal,
): Promise<Readable | undefined> {
  const metric = await findMetric(pool, query, signal)
  if (metric === undefined) return undefined
  const aggregates = aggregatesOf(query.aggregates, { name: query.name, type: metric.type })
  const { from, to } = query.conditions
  if (aggregates.includes('rate') && query.step === undefined && from === undefined) {
    throw new BadParameter('agg', 'agg cannot be rate of all time: give from, or step')
  }
  const span = { start: from, end: to ?? BigInt(Date.now()) * 1_000_000n }
  if (NUMBERS.has(metric.type)) {
    const isOfPoints = aggregates.some((word) => quantileOf(word) !== undefined)
    const lookback = needIncrease(aggregates, metric) ? LOOKBACK : 0n
    return streamParts(
      pool,
      { ...query.conditions, step: query.step, lookback, isOfPoints },
      { query: (parts) => numberSeriesQuery(query, metric, { aggregates, span, parts }), signal },
    )
  }
  const series = await readSeries(pool, { query, metric }, signal)
  const seriesIds = [...series.keys()]
  const parts = await streamParts(
    pool,
    { ...query.conditions, step: query.step, lookback: LOOKBACK, isOfPoints: false },
    { query: (known) => distributionPartsQuery(known, seriesIds), signal },
  )
  const rows = distributionSeries(parts as AsyncIterable<DistributionRow>, {
    series,
    query,
    aggregates,
    span,
  })
  return Readable.from(firstOf(rows, query.limit), { highWaterMark: 100 })
}

/** What the metric is. @throws BadParameter where it is several things. */
async function findMetric(
  pool: pg.Pool,
  { name, type, unit }: MetricQuery,
  signal: AbortSignal,
): Promise<FoundMetric | undefined> {
  const text = `
    select distinct type, unit from metrics
    where name = $1 and type = coalesce($2, type) and ($3::text is null or coalesce(unit, '') = $3) order by type, unit`
  const values = [name, type ?? null, unit ?? null]
  const found = await readRows<readonly [MetricType, string | null]>(pool, { text, values }, signal)
  const [[foundType, foundUnit] = [], ...others] = found
  if (foundType === undefined) return undefined
  if (others.length === 0) return { type: foundType, unit: foundUnit ?? null }
  const types = [...new Set(found.map(([each]) => each))]
  if (types.length > 1)
    throw new BadParameter('type', `type must say which ${name} is meant: ${types.join(', ')}`)
  const units = found.map(([, each]) => each ?? '""')
  throw new BadParameter('unit', `unit must say which ${name} is meant: ${units.join(', ')}`)
}

async function readSeries(
  pool: pg.Pool,
  { query, metric }: { readonly query: MetricQuery; readonly metric: FoundMetric },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Series>> {
  const { text, values } = seriesSql(query, metric)
  const sql = `select series_id::text, temporality, labels::text from (${text}) as series`
  const rows = await readRows<readonly [string, string | null, string]>(pool, { text: sql, values }, signal)
  return new Map(rows.map(([id, temporality, labels]) => [id, { labels, isDelta: temporality === 'delta' }]))
}

/** A question that no rollup can be of is one query; else what there is of them is read first, in the same snapshot. */
function streamParts(
  pool: pg.Pool,
  options: PartsOptions & { readonly isOfPoints: boolean },
  { query, signal }: { readonly query: (parts: MetricParts) => SqlQuery; readonly signal: AbortSignal },
): Promise<Readable> {
  const { step, isOfPoints } = options
  if (isOfPoints || (step !== undefined && step % HOUR_NANOS !== 0n))
    return streamRows(pool, query(pointParts(options)), signal)
  return streamSnapshot(pool, async (client) => query(await readMetricParts(client, options)), signal)
}

function distributionPartsQuery(parts: MetricParts, seriesIds: readonly string[]): SqlQuery {
  const values: unknown[] = [seriesIds]
  const known = partsSql(parts, {
    point: POINT_PARTS,
    rollup: ROLLUP_PARTS,
    from: (table) => `(select * from ${table} where series_id = any ($1::bigint[])) p`,
    isKnown: 'p.count is not null',
    parameter: (value) => `$${values.push(value)}`,
  })
  return { text: `select ${DISTRIBUTION_ROW} from (${known}) as parts order by ${PARTS_ORDER}`, values }
}

async function* firstOf<T>(rows: AsyncIterable<T>, limit: number | null): AsyncGenerator<T> {
  let count = 0
  for await (const row of rows) {
    if (limit !== null && count === limit) return
    count += 1
    yield row
  }
}
