import type { DataPoint, MetricDefinition } from '../data-point.ts'
import type { DecodeContext } from '../decode-context.ts'
import { readUint32 } from '../decode-fields.ts'
import { decodeMeasurement } from '../decode-measurement.ts'
import { decodeMetricDefinition } from '../decode-metric-definition.ts'
import { ABSENT } from './json-scanner.ts'
import { LookupCache } from './lookup-cache.ts'
import type { RecordScan } from './record-scanner.ts'
import type { RecordSlots } from './record-slots.ts'
import { NONE, SCANNED, type ScannedRecord } from './scanned-record.ts'
import { SOURCE_FIELDS, SourceCache } from './source-cache.ts'

/** A point of a gauge, counter, up-down counter or histogram, without exemplars. */
export interface ScannedDataPoint extends ScannedRecord, Pick<DataPoint, 'flags' | 'measurement'> {
  /** Shared by all points that say the same in the same words, hence frozen. */
  readonly metric: MetricDefinition
  /** {@link NONE} where it has no start; the nanoseconds that are left in the other. */
  readonly startMicros: number
  readonly startNanos: number
}

const DEFINITION = [
  'name',
  'type',
  'unit',
  'description',
  'temporality',
  'aggregationTemporality',
  'isMonotonic',
] as const
const NUMBER = ['value', 'asDouble', 'asInt'] as const
const HISTOGRAM = ['count', 'sum', 'min', 'max', 'explicitBounds', 'bucketCounts'] as const
const FIELDS = [
  ...SOURCE_FIELDS,
  ...DEFINITION,
  'timeUnixNano',
  'startTimeUnixNano',
  'flags',
  'attributes',
  ...NUMBER,
  ...HISTOGRAM,
] as const

const field = (name: (typeof FIELDS)[number]): number => FIELDS.indexOf(name)
const TIME = field('timeUnixNano')
const START = field('startTimeUnixNano')
const FLAGS = field('flags')
const ATTRIBUTES = field('attributes')

interface Caches {
  readonly sources: SourceCache
  readonly metrics: LookupCache<MetricDefinition>
}

/** Reads data points with times in unix nanoseconds, attributes as an object. Each pipeline has its own, with its caches. */
export function createDataPointScan(): RecordScan {
  const caches = {
    sources: new SourceCache(),
    metrics: new LookupCache<MetricDefinition>(DEFINITION.map(field)),
  }
  return { fields: FIELDS, scan: (slots, context) => scanDataPoint(slots, caches, context) }
}

function scanDataPoint(
  slots: RecordSlots,
  { sources, metrics }: Caches,
  context: DecodeContext,
): ScannedDataPoint | undefined {
  const hasStart = !slots.isUnset(START)
  if (hasStart && !slots.readTime(START)) return undefined
  const startMicros = hasStart ? slots.micros : NONE
  const startNanos = slots.nanos
  if (!slots.readTime(TIME) || !slots.isAccepted(slots.micros)) return undefined
  const { micros, nanos, attributes } = slots
  if (attributes === undefined && !slots.isUnset(ATTRIBUTES)) return undefined
  const metric = metrics.find(slots, () => decodeDefinition(slots, context))
  const source = sources.find(slots, context)
  if (metric === undefined || source === undefined) return undefined
  const flags = readUint32(slots.value(FLAGS), 'flags', context)
  const measurement = scanMeasurement(slots, { type: metric.type, flags, context })
  if (measurement === undefined || context.rejection !== undefined) return undefined
  return {
    [SCANNED]: true,
    bytes: slots.source,
    micros,
    nanos,
    source,
    attributes,
    flags,
    measurement,
    metric,
    startMicros,
    startNanos,
  }
}

function decodeDefinition(slots: RecordSlots, context: DecodeContext): MetricDefinition | undefined {
  const fields = Object.fromEntries(DEFINITION.map((name) => [name, slots.parsed(field(name))]))
  const definition = decodeMetricDefinition(fields, context)
  return context.rejection === undefined ? Object.freeze(definition) : undefined
}

/** Undefined where the metric's type does not have all of the fields: the others are attributes then. */
function scanMeasurement(
  slots: RecordSlots,
  options: Parameters<typeof decodeMeasurement>[1],
): DataPoint['measurement'] | undefined {
  switch (options.type) {
    case 'gauge':
    case 'counter':
    case 'updowncounter':
      if (hasAny(slots, HISTOGRAM_FIELDS)) return undefined
      return decodeMeasurement(
        {
          value: slots.value(VALUE),
          asDouble: slots.value(AS_DOUBLE),
          asInt: slots.value(AS_INT),
        },
        options,
      )
    case 'histogram':
      if (hasAny(slots, NUMBER_FIELDS)) return undefined
      return decodeMeasurement(
        Object.fromEntries(
          HISTOGRAM.map((name, index) => [name, slots.value(HISTOGRAM_FIELDS[index] as number)]),
        ),
        options,
      )
    default:
      return undefined
  }
}

const NUMBER_FIELDS = NUMBER.map(field)
const HISTOGRAM_FIELDS = HISTOGRAM.map(field)
const VALUE = field('value')
const AS_DOUBLE = field('asDouble')
const AS_INT = field('asInt')

function hasAny(slots: RecordSlots, fields: readonly number[]): boolean {
  return fields.some((each) => slots.kindOf(each) !== ABSENT)
}
