import type { Buckets, ExplicitBuckets, ExponentialBuckets, HistogramPoint } from './histogram-point.ts'

/** Far past what is sent, -10 to 20 (OpenTelemetry SDKs) or -4 to 8 (Prometheus). */
const MAX_SCALE = 64

/** Offsets are 32 bits wide in OTLP. */
const MAX_OFFSET = 2 ** 31

const MAX_COUNT = 2 ** 64

interface KnownBuckets {
  readonly explicit?: ExplicitBuckets
  readonly exponential?: ExponentialBuckets
}

const NONE: KnownBuckets = {}

/**
 * The buckets of a point that say where its measurements lie: of one kind, the exponential ones where it has both. None where any of
 * them is malformed (a count that is none of 64 bits, bounds not finite or not ascending, a list of the wrong length, a scale, offset or
 * zero threshold out of range), since what is left of such a histogram would be another distribution. And none for explicit buckets
 * without bounds: all was measured between -Infinity and Infinity.
 */
export function knownBuckets({ explicit, exponential }: HistogramPoint): KnownBuckets {
  if (exponential !== undefined) return isWellFormedExponential(exponential) ? { exponential } : NONE
  if (explicit === undefined || explicit.bounds.length === 0) return NONE
  return isWellFormedExplicit(explicit) ? { explicit } : NONE
}

function isWellFormedExplicit({ bounds, counts }: ExplicitBuckets): boolean {
  return counts.length === bounds.length + 1 && counts.every(isCount) && isAscending(bounds)
}

function isAscending(bounds: readonly number[]): boolean {
  return bounds.every(
    (bound, at) => Number.isFinite(bound) && (at === 0 || bound > (bounds[at - 1] ?? bound)),
  )
}

function isWellFormedExponential(buckets: ExponentialBuckets): boolean {
  const { scale, zeroCount, zeroThreshold, positive, negative } = buckets
  return (
    Number.isInteger(scale) &&
    Math.abs(scale) <= MAX_SCALE &&
    isCount(zeroCount) &&
    Number.isFinite(zeroThreshold) &&
    zeroThreshold >= 0 &&
    areWellFormed(positive) &&
    areWellFormed(negative)
  )
}

function areWellFormed({ offset, counts }: Buckets): boolean {
  return Number.isInteger(offset) && Math.abs(offset) <= MAX_OFFSET && counts.every(isCount)
}

/** Whether a count can be one of OTLP, 64 bits wide: no sum of such reaches Infinity. */
export function isCount(count: number): boolean {
  return count >= 0 && count <= MAX_COUNT
}
