import { beginRecord } from './begin-record.ts'
import type { DataPoint, Exemplar, MetricType } from './data-point.ts'
import { collectAttributes, decodeAttributes, type KnownFields, knownFields } from './decode-attributes.ts'
import { type DecodeContext, finishRecord, refuse } from './decode-context.ts'
import { type Fields, readList, readUint32 } from './decode-fields.ts'
import { readSpanId, readTraceId } from './decode-id.ts'
import { decodeMeasurement, readValue } from './decode-measurement.ts'
import { decodeMetricDefinition } from './decode-metric-definition.ts'
import { decodeScope, decodeServiceAndResource } from './decode-resource.ts'
import { decodeItems } from './decode-span-parts.ts'
import { checkWindow, readTime } from './decode-time-field.ts'
import type { Decoded } from './rejection.ts'

const COMMON_FIELDS = [
  'name',
  'type',
  'unit',
  'description',
  'temporality',
  'aggregationTemporality',
  'isMonotonic',
  'timeUnixNano',
  'time',
  'startTimeUnixNano',
  'startTime',
  'flags',
  'exemplars',
  'attributes',
  'service',
  'resource',
  'scope',
  'schemaUrl',
] as const

const NUMBER_FIELDS = knownFields(...COMMON_FIELDS, 'value', 'asDouble', 'asInt')
const STATISTICS = ['count', 'sum', 'min', 'max'] as const

/** The fields of a data point by its type; with another type, `count` or `scale` is an attribute. */
const DATA_POINT_FIELDS: Readonly<Record<MetricType, KnownFields>> = {
  gauge: NUMBER_FIELDS,
  counter: NUMBER_FIELDS,
  updowncounter: NUMBER_FIELDS,
  histogram: knownFields(...COMMON_FIELDS, ...STATISTICS, 'explicitBounds', 'bucketCounts'),
  exponentialHistogram: knownFields(
    ...COMMON_FIELDS,
    ...STATISTICS,
    'scale',
    'zeroCount',
    'zeroThreshold',
    'positive',
    'negative',
  ),
  summary: knownFields(...COMMON_FIELDS, 'count', 'sum', 'quantiles', 'quantileValues'),
}

const TIME = { unixNano: 'timeUnixNano', shorthands: ['time'] }
const START = { unixNano: 'startTimeUnixNano', shorthands: ['startTime'] }
const NO_EXEMPLARS: readonly Exemplar[] = Object.freeze([])

/** Decodes one loose metric data point. See {@link DataPoint} for what comes out. */
export function decodeDataPoint(input: unknown, context: DecodeContext): Decoded<DataPoint> {
  const fields = beginRecord(input, context)
  if (fields === undefined) return finishRecord({} as DataPoint, context)
  const metric = decodeMetricDefinition(fields, context)
  const flags = readUint32(fields.flags, 'flags', context)
  const { service, resource } = decodeServiceAndResource(fields, context)
  const point: DataPoint = {
    metric,
    timeUnixNano: readPointTime(fields, context),
    startTimeUnixNano: readTime(fields, START, context),
    flags,
    measurement: decodeMeasurement(fields, { type: metric.type, flags, context }),
    exemplars: decodeExemplars(fields.exemplars, context),
    attributes: collectAttributes(fields, DATA_POINT_FIELDS[metric.type], context),
    service,
    resource,
    scope: decodeScope(fields, context),
  }
  return finishRecord(point, context)
}

function readPointTime(fields: Fields, context: DecodeContext): bigint {
  const time = readTime(fields, TIME, context)
  if (time === undefined) {
    refuse(context, 'missing_field', 'a data point must have a time: timeUnixNano or time')
    return 0n
  }
  checkWindow(time, 'the time of the data point', context)
  return time
}

function decodeExemplars(value: unknown, context: DecodeContext): readonly Exemplar[] {
  const list = value === undefined ? NO_EXEMPLARS : readList(value, 'exemplars', context)
  if (list.length === 0) return NO_EXEMPLARS
  return decodeItems(list, { field: 'exemplars', context }, (fields) => ({
    timeUnixNano: readTime(fields, TIME, context),
    value: readValue(fields, context),
    traceId: readTraceId(fields.traceId, 'exemplars[].traceId', context),
    spanId: readSpanId(fields.spanId, 'exemplars[].spanId', context),
    filteredAttributes: decodeAttributes(
      fields.filteredAttributes,
      'exemplars[].filteredAttributes',
      context,
    ),
  }))
}
