import type { MetricDefinition, MetricType, Temporality } from './data-point.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPresent, readIndexedText, readText, typeOf } from './decode-fields.ts'
import { readEnum, refuseEnum } from './decode-span-status.ts'

/** `sum` is OTLP's word for both counters. Case, `_` and `-` do not matter. */
const METRIC_TYPES: ReadonlyMap<string, MetricType | 'sum'> = new Map<string, MetricType | 'sum'>([
  ['gauge', 'gauge'],
  ['counter', 'counter'],
  ['updowncounter', 'updowncounter'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialhistogram', 'exponentialHistogram'],
  ['exponentialHistogram', 'exponentialHistogram'],
  ['summary', 'summary'],
])

const TEMPORALITIES: ReadonlyMap<string, 0 | 1 | 2> = new Map<string, 0 | 1 | 2>([
  ['unspecified', 0],
  ['delta', 1],
  ['cumulative', 2],
])

/**
 * What a data point measures, in normal form: a counter is monotonic and an up-down counter is not,
 * whatever `isMonotonic` says; temporality is cumulative unless said otherwise, as in the SDKs.
 */
export function decodeMetricDefinition(fields: Fields, context: DecodeContext): MetricDefinition {
  const type = readType(fields, context)
  return {
    name: readIndexedText(fields.name, 'name', context) ?? missing('name', context),
    type,
    unit: readIndexedText(fields.unit, 'unit', context),
    description: readText(fields.description, 'description', context),
    temporality: readTemporality(fields, type, context),
    isMonotonic: type === 'counter' ? true : type === 'updowncounter' ? false : undefined,
  }
}

function missing(field: string, context: DecodeContext): string {
  refuse(context, 'missing_field', `a data point must have a ${field}`)
  return ''
}

function readType(fields: Fields, context: DecodeContext): MetricType {
  const { type } = fields
  const isMonotonic = readBoolean(fields.isMonotonic, 'isMonotonic', context)
  if (!isPresent(type)) missing('type', context)
  else if (typeof type === 'string') {
    const known = METRIC_TYPES.get(type) ?? METRIC_TYPES.get(type.replaceAll(/[_-]/g, '').toLowerCase())
    if (known === 'sum') return isMonotonic ? 'counter' : 'updowncounter'
    if (known !== undefined) return known
  }
  refuse(
    context,
    'wrong_type',
    'type must be gauge, counter, updowncounter, sum, histogram, exponentialHistogram or summary',
  )
  return 'gauge'
}

function readTemporality(fields: Fields, type: MetricType, context: DecodeContext): Temporality | undefined {
  const value = isPresent(fields.temporality) ? fields.temporality : fields.aggregationTemporality
  const code = isPresent(value) ? readEnum(value, 'AGGREGATION_TEMPORALITY_', TEMPORALITIES) : 0
  if (code === undefined) refuseEnum(value, 'temporality must be delta (1) or cumulative (2)', context)
  if (type === 'gauge' || type === 'summary') return undefined
  return code === 1 ? 'delta' : 'cumulative'
}

function readBoolean(value: unknown, field: string, context: DecodeContext): boolean | undefined {
  if (!isPresent(value)) return undefined
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  if (word === 'true' || word === 'false') return word === 'true'
  return refuse(context, 'wrong_type', `${field} must be true or false, not ${typeOf(value)}`)
}
