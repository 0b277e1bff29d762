import type { ExponentialBuckets, Measurement, MetricType, QuantileValue } from './data-point.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPlainObject, isPresent, readContainer, readList, typeOf } from './decode-fields.ts'
import { readCount, readDouble, readDoubleIn, readInt32, readMetricValue } from './decode-number.ts'
import { decodeItems } from './decode-span-parts.ts'

/** Buckets and quantiles of one point. The SDKs make at most 160 (exponential) or some dozens. */
export const MAX_BUCKETS = 4_096

/** OTLP's flag bit 0: the point says that there is no value. */
const NO_RECORDED_VALUE = 1

type MeasurementOf<K extends Measurement['kind']> = Extract<Measurement, { kind: K }>

/** What was measured. The metric's type says which fields are read. */
export function decodeMeasurement(
  fields: Fields,
  { type, flags, context }: { type: MetricType; flags: number | undefined; context: DecodeContext },
): Measurement {
  const isUnrecorded = ((flags ?? 0) & NO_RECORDED_VALUE) !== 0
  switch (type) {
    case 'histogram':
      return decodeHistogram(fields, isUnrecorded, context)
    case 'exponentialHistogram':
      return decodeExponentialHistogram(fields, isUnrecorded, context)
    case 'summary':
      return decodeSummary(fields, isUnrecorded, context)
    default:
      return decodeNumber(fields, isUnrecorded, context)
  }
}

function decodeNumber(fields: Fields, isUnrecorded: boolean, context: DecodeContext): Measurement {
  const value = readValue(fields, context)
  if (value === undefined && !isUnrecorded) refuse(context, 'missing_field', 'a data point must have a value')
  return { kind: 'number', value }
}

/** `value`, or OTLP's `asDouble` or `asInt`. */
export function readValue(fields: Fields, context: DecodeContext): ReturnType<typeof readMetricValue> {
  const field = ['value', 'asDouble', 'asInt'].find((name) => isPresent(fields[name])) ?? 'value'
  const value = fields[field]
  // JSON writes the shortest digits that tell a double from its neighbours: past 2^53 they are not those of its integer.
  const isWrittenShort = field === 'asDouble' && typeof value === 'bigint'
  return readMetricValue(isWrittenShort ? Number(value) : value, field, context)
}

function readPointCount(fields: Fields, isUnrecorded: boolean, context: DecodeContext): bigint {
  const count = readCount(fields.count, 'count', context)
  if (count === undefined && !isUnrecorded)
    refuse(context, 'missing_field', 'this data point must have a count')
  return count ?? 0n
}

function decodeHistogram(
  fields: Fields,
  isUnrecorded: boolean,
  context: DecodeContext,
): MeasurementOf<'histogram'> {
  const bucketCounts = readCounts(fields.bucketCounts, 'bucketCounts', context)
  const explicitBounds = readBounds(fields.explicitBounds, context)
  const areBothEmpty = bucketCounts.length === 0 && explicitBounds.length === 0
  if (!areBothEmpty && bucketCounts.length !== explicitBounds.length + 1) {
    refuse(context, 'out_of_range', 'bucketCounts must have one member more than explicitBounds')
  }
  return {
    kind: 'histogram',
    count: readPointCount(fields, isUnrecorded, context),
    sum: readDouble(fields.sum, 'sum', context),
    min: readDouble(fields.min, 'min', context),
    max: readDouble(fields.max, 'max', context),
    explicitBounds,
    bucketCounts,
  }
}

function decodeExponentialHistogram(
  fields: Fields,
  isUnrecorded: boolean,
  context: DecodeContext,
): MeasurementOf<'exponentialHistogram'> {
  const threshold = { min: 0, max: Number.MAX_VALUE, context }
  return {
    kind: 'exponentialHistogram',
    count: readPointCount(fields, isUnrecorded, context),
    sum: readDouble(fields.sum, 'sum', context),
    min: readDouble(fields.min, 'min', context),
    max: readDouble(fields.max, 'max', context),
    scale: readInt32(fields.scale, 'scale', context) ?? 0,
    zeroCount: readCount(fields.zeroCount, 'zeroCount', context) ?? 0n,
    zeroThreshold: readDoubleIn(fields.zeroThreshold, 'zeroThreshold', threshold),
    positive: decodeBuckets(fields.positive, 'positive', context),
    negative: decodeBuckets(fields.negative, 'negative', context),
  }
}

function decodeSummary(
  fields: Fields,
  isUnrecorded: boolean,
  context: DecodeContext,
): MeasurementOf<'summary'> {
  const field = isPresent(fields.quantiles) ? 'quantiles' : 'quantileValues'
  return {
    kind: 'summary',
    count: readPointCount(fields, isUnrecorded, context),
    sum: readDouble(fields.sum, 'sum', context),
    quantiles: decodeQuantiles(fields[field], field, context),
  }
}

function decodeQuantiles(value: unknown, field: string, context: DecodeContext): readonly QuantileValue[] {
  const list = readBoundedList(value, field, context)
  const range = { min: 0, max: 1, context }
  return decodeItems(list, { field, context }, (member) => ({
    // Protobuf's JSON leaves a member out when it is 0.
    quantile: readDoubleIn(member.quantile, `${field}[].quantile`, range) ?? 0,
    value: readDouble(member.value, `${field}[].value`, context) ?? 0,
  }))
}

function decodeBuckets(
  value: unknown,
  field: string,
  context: DecodeContext,
): ExponentialBuckets | undefined {
  const source = readContainer(value, field, context)
  if (!isPresent(source)) return undefined
  if (!isPlainObject(source)) {
    return refuse(context, 'wrong_type', `${field} must be an object, not ${typeOf(source)}`)
  }
  return {
    offset: readInt32(source.offset, `${field}.offset`, context) ?? 0,
    bucketCounts: readCounts(source.bucketCounts, `${field}.bucketCounts`, context),
  }
}

function readCounts(value: unknown, field: string, context: DecodeContext): readonly bigint[] {
  const list = readBoundedList(value, field, context)
  const counts: bigint[] = []
  for (const item of list) {
    const count =
      readCount(item, field, context) ?? refuse(context, 'wrong_type', `${field} must hold counts`)
    if (count === undefined) return []
    counts.push(count)
  }
  return counts
}

function readBounds(value: unknown, context: DecodeContext): readonly number[] {
  const bounds: number[] = []
  for (const item of readBoundedList(value, 'explicitBounds', context)) {
    const bound = readDouble(item, 'explicitBounds', context)
    if (typeof bound !== 'number' || bound <= (bounds.at(-1) ?? Number.NEGATIVE_INFINITY)) {
      refuse(context, 'out_of_range', 'explicitBounds must be finite numbers, each above the one before')
      return []
    }
    bounds.push(bound)
  }
  return bounds
}

function readBoundedList(value: unknown, field: string, context: DecodeContext): readonly unknown[] {
  const list = readList(value, field, context)
  if (list.length <= MAX_BUCKETS) return list
  refuse(context, 'too_large', `${field} must have at most ${MAX_BUCKETS} members`)
  return []
}
