/** The counts of adjacent buckets, of which the first has the index `offset`. */
export interface Buckets {
  readonly offset: number
  readonly counts: readonly number[]
}

/** `counts[i]` were measured in (bounds[i - 1], bounds[i]], the first from -Infinity on, the last, one more than the bounds, to Infinity. */
export interface ExplicitBuckets {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
}

/**
 * Bucket i of `positive` is (base^i, base^(i+1)] with base = 2^(2^-scale), one of `negative` its mirror image; what is at most
 * `zeroThreshold` away from 0 is in `zeroCount`. (OpenTelemetry, metrics data model, "ExponentialHistogram".)
 */
export interface ExponentialBuckets {
  readonly scale: number
  readonly zeroCount: number
  readonly zeroThreshold: number
  readonly positive: Buckets
  readonly negative: Buckets
}

/** One point of a series of histograms. Counts are doubles, exact to 2^53. One with no buckets at all tells its count and sum only. */
export interface HistogramPoint {
  readonly count: number
  readonly sum?: number
  readonly min?: number
  readonly max?: number
  readonly explicit?: ExplicitBuckets
  readonly exponential?: ExponentialBuckets
}
