import type { DataPoint, ExponentialBuckets, Measurement, MetricValue } from '../models/data-point.ts'
import type { ScannedDataPoint } from '../models/scan/scan-data-point.ts'
import { exemplarsJson } from '../models/wire/exemplars-json.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import { encodeOrigin, ORIGIN_COLUMNS, type TelemetryTable } from './telemetry-table.ts'

interface DataPointRefs {
  readonly seriesId: bigint
}

/** Data points of every metric type: the definition and the attributes are interned, a point bears its series' id. */
export const METRIC_POINT_TABLE: TelemetryTable<DataPoint, DataPointRefs, ScannedDataPoint> = {
  signal: 'metrics',
  time: (point) => point.timeUnixNano,
  refer(point, content) {
    const resource = content.resource(point.resource, point.service)
    const scope = content.scope(point.scope)
    const metric = content.metric(point.metric)
    const series = content.series(
      { metric, metricName: point.metric.name, resource, scope, service: point.service },
      point.attributes,
    )
    return { refs: { seriesId: series.id }, rows: [resource, scope, metric, series] }
  },
  referScanned(point, content) {
    const { resource, scope } = content.source(point.source)
    const metric = content.sharedMetric(point.metric)
    const series = content.series(
      { metric, metricName: point.metric.name, resource, scope, service: point.source.service },
      point.attributes,
    )
    return { refs: { seriesId: series.id }, rows: [resource, scope, metric, series] }
  },
  targets: [
    {
      table: 'metric_points',
      columns: [
        'time',
        'time_unix_nano',
        'series_id',
        ...ORIGIN_COLUMNS,
        'start_time_unix_nano',
        'flags',
        'value',
        'value_integer',
        'count',
        'sum',
        'min',
        'max',
        'explicit_bounds',
        'bucket_counts',
        'scale',
        'zero_count',
        'zero_threshold',
        'positive_offset',
        'positive_bucket_counts',
        'negative_offset',
        'negative_bucket_counts',
        'quantiles',
        'quantile_values',
        'exemplars',
      ],
      parsed: {
        count: () => 1,
        encode(encoder, point, { refs, origin }) {
          encoder.timestamptz(point.timeUnixNano)
          encoder.int8(point.timeUnixNano)
          encoder.int8(refs.seriesId)
          encodeOrigin(encoder, origin)
          encoder.int8(point.startTimeUnixNano)
          encoder.int8(point.flags)
          encodeMeasurement(encoder, point.measurement)
          encoder.jsonb(point.exemplars.length === 0 ? undefined : exemplarsJson(point.exemplars))
        },
      },
      scanned: {
        count: () => 1,
        encode(encoder, point, { refs, origin }) {
          const { micros, nanos, startMicros, startNanos } = point
          encoder.timestamptzOfMicros(micros)
          encoder.unixNano(micros, nanos)
          encoder.int8(refs.seriesId)
          encodeOrigin(encoder, origin)
          encoder.unixNano(startMicros, startNanos)
          encoder.int8(point.flags)
          encodeMeasurement(encoder, point.measurement)
          encoder.nulls(1)
        },
      },
    },
  ],
}

/** From `count` to `quantile_values`. */
const COLUMNS_OF_DISTRIBUTIONS = 15

/** The columns from `value` to `quantile_values`: those that the metric's type does not have are null. */
function encodeMeasurement(encoder: CopyEncoder, measurement: Measurement): void {
  if (measurement.kind === 'number') {
    const { value } = measurement
    encoder.float8(float(value))
    encoder.int8(typeof value === 'bigint' ? value : undefined)
    encoder.nulls(COLUMNS_OF_DISTRIBUTIONS)
    return
  }
  const summary = measurement.kind === 'summary' ? measurement : undefined
  const explicit = measurement.kind === 'histogram' ? measurement : undefined
  const exponential = measurement.kind === 'exponentialHistogram' ? measurement : undefined
  const histogram = explicit ?? exponential
  const counted = histogram ?? summary
  encoder.nulls(2)
  encoder.int8(counted?.count)
  encoder.float8(float(counted?.sum))
  encoder.float8(float(histogram?.min))
  encoder.float8(float(histogram?.max))
  encoder.float8Array(explicit?.explicitBounds)
  encoder.int8Array(explicit?.bucketCounts)
  encoder.int4(exponential?.scale)
  encoder.int8(exponential?.zeroCount)
  encoder.float8(exponential?.zeroThreshold)
  encodeBuckets(encoder, exponential?.positive)
  encodeBuckets(encoder, exponential?.negative)
  encoder.float8Array(summary?.quantiles.map(({ quantile }) => quantile))
  encoder.float8Array(summary?.quantiles.map(({ value }) => Number(value)))
}

function encodeBuckets(encoder: CopyEncoder, buckets: ExponentialBuckets | undefined): void {
  encoder.int4(buckets?.offset)
  encoder.int8Array(buckets?.bucketCounts)
}

/** Number() reads OTLP's "NaN", "Infinity" and "-Infinity" as what they say. */
function float(value: MetricValue | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}
