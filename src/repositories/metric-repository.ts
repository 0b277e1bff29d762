import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import { LOOKBACK, type MetricQuery } from './metrics/metric-query.ts'
import { queryMetric } from './metrics/query-metric.ts'
import { SERIES_COLUMNS } from './metrics/series-sql.ts'
import { ORIGIN_COLUMNS } from './origin-members.ts'
import { pageRecords } from './page-records.ts'
import type { RecordSource } from './record-source.ts'
import type { ResultCache } from './result-cache.ts'
import { type StreamOptions, streamRecords } from './stream-records.ts'
import { streamRows } from './stream-rows.ts'

export const POINT_COLUMNS: FilterColumns = {
  time: 'time',
  timeUnixNano: 'time_unix_nano',
  texts: { service: 'service', environment: 'environment', name: 'name' },
  attributes: 'attributes',
}

/** A data point in the shape of the wire contract, in normal form. */
const POINT_JSON = `
  (jsonb_strip_nulls(jsonb_build_object(
    'name', name, 'type', type, 'unit', unit, 'description', description, 'temporality', temporality,
    'isMonotonic', is_monotonic, 'timeUnixNano', time_unix_nano::text,
    'startTimeUnixNano', start_time_unix_nano::text, 'flags', flags,
    'value', coalesce(to_jsonb(value_integer), to_jsonb(value)), 'count', count, 'sum', sum, 'min', min, 'max', max,
    'explicitBounds', explicit_bounds, 'bucketCounts', bucket_counts, 'scale', scale, 'zeroCount', zero_count,
    'zeroThreshold', zero_threshold,
    'positive', case when positive_offset is not null then
      jsonb_build_object('offset', positive_offset, 'bucketCounts', positive_bucket_counts) end,
    'negative', case when negative_offset is not null then
      jsonb_build_object('offset', negative_offset, 'bucketCounts', negative_bucket_counts) end,
    'quantiles', case when quantiles is not null then (
      select coalesce(jsonb_agg(jsonb_build_object('quantile', q, 'value', v)), '[]')
        from unnest(quantiles, quantile_values) as u (q, v)) end,
    'service', service))
  || jsonb_build_object(
    'attributes', attributes, 'exemplars', exemplars,
    'resource', jsonb_strip_nulls(jsonb_build_object('schemaUrl', resource_schema_url))
      || jsonb_build_object('attributes', resource_attributes),
    'scope', jsonb_strip_nulls(
      jsonb_build_object('name', scope_name, 'version', scope_version, 'schemaUrl', scope_schema_url))
      || jsonb_build_object('attributes', scope_attributes)))::text`

export const POINTS: RecordSource = {
  table: 'metric_points',
  view: 'point_view',
  columns: POINT_COLUMNS,
  json: POINT_JSON,
  csv: [
    ['timeUnixNano', 'time_unix_nano::text'],
    ['startTimeUnixNano', 'start_time_unix_nano::text'],
    ['name', 'name'],
    ['type', 'type'],
    ['unit', 'unit'],
    ['service', 'service'],
    ['environment', 'environment'],
    ['value', 'coalesce(value_integer::text, value::text)'],
    ['count', 'count::text'],
    ['sum', 'sum::text'],
    ['min', 'min::text'],
    ['max', 'max::text'],
    ['attributes', 'attributes::text'],
    ['resource', 'resource_attributes::text'],
    ['scopeName', 'scope_name'],
    ['scopeVersion', 'scope_version'],
  ],
  parquet: [
    { name: 'time', type: 'timestampNanos', sql: 'time_unix_nano' },
    { name: 'startTime', type: 'timestampNanos', sql: 'start_time_unix_nano' },
    { name: 'timeUnixNano', type: 'int64', sql: 'time_unix_nano' },
    { name: 'startTimeUnixNano', type: 'int64', sql: 'start_time_unix_nano' },
    { name: 'name', type: 'string', sql: 'name' },
    { name: 'type', type: 'string', sql: 'type' },
    { name: 'unit', type: 'string', sql: 'unit' },
    { name: 'description', type: 'string', sql: 'description' },
    { name: 'temporality', type: 'string', sql: 'temporality' },
    { name: 'isMonotonic', type: 'boolean', sql: 'is_monotonic' },
    { name: 'service', type: 'string', sql: 'service' },
    { name: 'environment', type: 'string', sql: 'environment' },
    { name: 'attributes', type: 'json', sql: 'attributes::text' },
    { name: 'value', type: 'double', sql: 'value' },
    { name: 'valueInteger', type: 'int64', sql: 'value_integer' },
    { name: 'count', type: 'int64', sql: 'count' },
    { name: 'sum', type: 'double', sql: 'sum' },
    { name: 'min', type: 'double', sql: 'min' },
    { name: 'max', type: 'double', sql: 'max' },
    { name: 'explicitBounds', type: 'doubleList', sql: 'explicit_bounds' },
    { name: 'bucketCounts', type: 'int64List', sql: 'bucket_counts' },
    { name: 'scale', type: 'int32', sql: 'scale' },
    { name: 'zeroCount', type: 'int64', sql: 'zero_count' },
    { name: 'zeroThreshold', type: 'double', sql: 'zero_threshold' },
    { name: 'positiveOffset', type: 'int32', sql: 'positive_offset' },
    { name: 'positiveBucketCounts', type: 'int64List', sql: 'positive_bucket_counts' },
    { name: 'negativeOffset', type: 'int32', sql: 'negative_offset' },
    { name: 'negativeBucketCounts', type: 'int64List', sql: 'negative_bucket_counts' },
    { name: 'quantiles', type: 'doubleList', sql: 'quantiles' },
    { name: 'quantileValues', type: 'doubleList', sql: 'quantile_values' },
    { name: 'exemplars', type: 'json', sql: 'exemplars::text' },
    { name: 'flags', type: 'int64', sql: 'flags' },
    ...ORIGIN_COLUMNS,
  ],
}

/** The columns of CSV of definitions. */
export const METRIC_CSV = ['name', 'type', 'unit', 'description', 'temporality', 'isMonotonic']

/** Where the columns of CSV of points are in their JSON. */
export const LATEST_CSV = [
  ...[
    'timeUnixNano',
    'startTimeUnixNano',
    'name',
    'type',
    'unit',
    'service',
    'value',
    'count',
    'sum',
    'min',
    'max',
  ],
  ...['attributes', 'resource.attributes', 'scope.name', 'scope.version'],
]

/** Reads metrics; values are in the metric's unit. Units and errors else are those of every repository: see TraceRepository. */
export class MetricRepository {
  readonly #pool: pg.Pool
  readonly #cache: ResultCache | undefined

  constructor(pool: pg.Pool, cache?: ResultCache) {
    this.#pool = pool
    this.#cache = cache
  }

  /** Metric definitions by name: a stream of rows with one column, JSON text `{name, type, unit, description, temporality, isMonotonic}`. */
  streamDefinitions(filter: Pick<RecordFilter, 'name' | 'limit'>, signal: AbortSignal): Promise<Readable> {
    return streamRows(
      this.#pool,
      {
        text: `select jsonb_strip_nulls(jsonb_build_object(
                 'name', name, 'type', type, 'unit', unit, 'description', description,
                 'temporality', temporality, 'isMonotonic', is_monotonic))::text
                 from metrics where $1::text is null or name = $1 order by name, metric_id limit $2`,
        values: [filter.name ?? null, filter.limit],
      },
      signal,
    )
  }

  /**
   * All data points that match, as `limit` and `order` say: a stream of rows with one column, the point as JSON text in the shape of the wire contract, or those of CSV or Parquet: see
   * {@link streamRecords}.
   */
  streamPoints(filter: RecordFilter, options: StreamOptions): Promise<Readable> {
    return streamRecords(this.#pool, POINTS, filter, options)
  }

  /** A page of data points and one more: a stream of {@link PageRow}, the newest first unless `order` says otherwise: see {@link pageRecords}. */
  pagePoints(filter: RecordFilter & { readonly limit: number }, signal: AbortSignal): Promise<Readable> {
    return pageRecords(this.#pool, POINTS, filter, signal)
  }

  /**
   * The newest point of each series that has one which matches, in the order of services: a stream of rows with one column, the point as JSON text in the
   * shape of the wire contract.
   */
  streamLatest(filter: RecordFilter & { readonly name: string }, signal: AbortSignal): Promise<Readable> {
    const { name, from, to, limit, ...others } = filter
    const series = whereSql(others, SERIES_COLUMNS)
    const { where, values } = whereSql(
      { ...(from !== undefined && { from }), ...(to !== undefined && { to }) },
      POINT_COLUMNS,
      series.values,
    )
    const text = `
      select ${POINT_JSON} from (
        select newest.* from metrics m
        join metric_series s using (metric_id)
        left join resources r using (resource_id)
        join lateral (
          select series_id, time, entry_ms, entry_seq, record_index from metric_points p
          ${where} and p.series_id = s.series_id
          order by time desc, time_unix_nano desc, entry_ms desc, entry_seq desc, record_index desc limit 1
        ) newest on true
        ${series.where} and m.name = $${values.push(name)}
      ) as newest
      join (select * from point_view ${where}) as point_view using (series_id, time, entry_ms, entry_seq, record_index)
      order by service, series_id limit $${values.push(limit)}`
    return streamRows(this.#pool, { text, values }, signal)
  }

  /**
   * A time series: a stream of rows with one column, JSON text `{timeUnixNano, labels, …aggregates}`, in the order of time: see {@link queryMetric}. With a cache, {@link ResultCache.answer}.
   *
   * @returns undefined when there is no such metric.
   * @throws BadParameter for what cannot be told of the metric, and where several have the name.
   */
  async queryMetric(query: MetricQuery, signal: AbortSignal): Promise<Readable | undefined> {
    const read = () => queryMetric(this.#pool, query, signal)
    const { from, to } = query.conditions
    // A rate that has no end is of the time until now.
    if (this.#cache === undefined || (to === undefined && query.aggregates.includes('rate'))) return read()
    const since = from === undefined ? undefined : from - LOOKBACK
    return this.#cache.answer(
      this.#pool,
      { from: since, to, signal: 'metrics', question: query, read },
      signal,
    )
  }
}
