import type { Attributes } from './attributes.ts'
import type { InstrumentationScope, Resource } from './resource.ts'

export const METRIC_TYPES = [
  'gauge',
  'counter',
  'updowncounter',
  'histogram',
  'exponentialHistogram',
  'summary',
] as const
export type MetricType = (typeof METRIC_TYPES)[number]

export type Temporality = 'delta' | 'cumulative'

/** What a data point measures. Its content is its identity: a changed unit is another metric. */
export interface MetricDefinition {
  readonly name: string
  readonly type: MetricType
  readonly unit: string | undefined
  readonly description: string | undefined
  /** Undefined for gauges and summaries, which have none in OTLP. */
  readonly temporality: Temporality | undefined
  /** Undefined for all but counters (true) and up-down counters (false). */
  readonly isMonotonic: boolean | undefined
}

export interface Exemplar {
  readonly timeUnixNano: bigint | undefined
  readonly value: number | bigint | NonFinite | undefined
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly filteredAttributes: Attributes
}

/** A float that JSON has no number for, as OTLP's JSON writes it. */
export type NonFinite = 'NaN' | 'Infinity' | '-Infinity'

/** A value of a number data point, or of a sum, minimum, maximum. `bigint` only past 2^53. */
export type MetricValue = number | bigint | NonFinite

export interface ExponentialBuckets {
  readonly offset: number
  readonly bucketCounts: readonly bigint[]
}

export interface QuantileValue {
  readonly quantile: number
  readonly value: number | NonFinite
}

/** What was measured, by metric type: a number, or one of OTLP's three distributions. */
export type Measurement =
  | { readonly kind: 'number'; readonly value: MetricValue | undefined }
  | {
      readonly kind: 'histogram'
      readonly count: bigint
      readonly sum: number | NonFinite | undefined
      readonly min: number | NonFinite | undefined
      readonly max: number | NonFinite | undefined
      readonly explicitBounds: readonly number[]
      readonly bucketCounts: readonly bigint[]
    }
  | {
      readonly kind: 'exponentialHistogram'
      readonly count: bigint
      readonly sum: number | NonFinite | undefined
      readonly min: number | NonFinite | undefined
      readonly max: number | NonFinite | undefined
      readonly scale: number
      readonly zeroCount: bigint
      readonly zeroThreshold: number | undefined
      readonly positive: ExponentialBuckets | undefined
      readonly negative: ExponentialBuckets | undefined
    }
  | {
      readonly kind: 'summary'
      readonly count: bigint
      readonly sum: number | NonFinite | undefined
      readonly quantiles: readonly QuantileValue[]
    }

/** One metric data point in normal form. */
export interface DataPoint {
  readonly metric: MetricDefinition
  readonly timeUnixNano: bigint
  readonly startTimeUnixNano: bigint | undefined
  readonly flags: number | undefined
  readonly measurement: Measurement
  readonly exemplars: readonly Exemplar[]
  readonly attributes: Attributes
  readonly service: string
  readonly resource: Resource
  readonly scope: InstrumentationScope
}
