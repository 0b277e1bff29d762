import type { Buckets, ExplicitBuckets, ExponentialBuckets, HistogramPoint } from './histogram-point.ts'
import { knownBuckets } from './known-buckets.ts'
import { scaleDown } from './scale-down.ts'
import { zeroBucketEnd } from './zero-bucket-end.ts'

/**
 * What a cumulative histogram measured since the previous point of its series: the differences of count, sum and buckets, as in
 * Prometheus' `increase` and OpenTelemetry's metrics data model, "Resets and gaps". A point that is not the continuation of the previous
 * one counts as a whole: its count or a bucket is smaller than before, or its buckets are others (bounds, kind, or malformed in one of
 * the two, see `knownBuckets`). An increase has no minimum and maximum, a point's are since its start; its sum is known where both are.
 *
 * @param previous undefined where the series starts, or starts anew: the whole point.
 */
export function increaseOf(point: HistogramPoint, previous: HistogramPoint | undefined): HistogramPoint {
  if (previous === undefined || !(point.count >= previous.count)) return point
  const now = knownBuckets(point)
  const before = knownBuckets(previous)
  const totals = { count: point.count - previous.count, ...sumIncrease(point, previous) }
  if (now.explicit !== undefined && before.explicit !== undefined) {
    const explicit = explicitIncrease(now.explicit, before.explicit)
    return explicit === undefined ? point : { ...totals, explicit }
  }
  if (now.exponential !== undefined && before.exponential !== undefined) {
    const exponential = exponentialIncrease(now.exponential, before.exponential)
    return exponential === undefined ? point : { ...totals, exponential }
  }
  const haveNone = Object.keys(now).length === 0 && Object.keys(before).length === 0
  return haveNone ? totals : point
}

function sumIncrease(point: HistogramPoint, previous: HistogramPoint): { readonly sum?: number } {
  return point.sum === undefined || previous.sum === undefined ? {} : { sum: point.sum - previous.sum }
}

function explicitIncrease(now: ExplicitBuckets, before: ExplicitBuckets): ExplicitBuckets | undefined {
  const { bounds } = now
  if (bounds.length !== before.bounds.length || bounds.some((bound, at) => bound !== before.bounds[at])) {
    return undefined
  }
  const difference = subtract({ offset: 0, counts: now.counts }, { offset: 0, counts: before.counts })
  return difference && { bounds, counts: difference.counts }
}

/** Compared at the lower scale and the larger zero threshold of the two. */
function exponentialIncrease(
  now: ExponentialBuckets,
  previous: ExponentialBuckets,
): ExponentialBuckets | undefined {
  const before =
    isEmpty(previous.positive) && isEmpty(previous.negative) ? emptyAt(now.scale, previous) : previous
  const scale = Math.min(now.scale, before.scale)
  const zeroThreshold = Math.max(now.zeroThreshold, before.zeroThreshold)
  const later = rescale(now, scale, zeroThreshold)
  const earlier = rescale(before, scale, zeroThreshold)
  const zeroCount = later.zeroCount - earlier.zeroCount
  const positive = subtract(later.positive, earlier.positive)
  const negative = subtract(later.negative, earlier.negative)
  if (zeroCount < 0 || positive === undefined || negative === undefined) return undefined
  return { scale, zeroCount, zeroThreshold, positive, negative }
}

/** The scale of empty buckets says nothing, and must not make those of the next point coarser. */
function emptyAt(scale: number, { zeroCount, zeroThreshold }: ExponentialBuckets): ExponentialBuckets {
  return { scale, zeroCount, zeroThreshold, positive: NO_BUCKETS, negative: NO_BUCKETS }
}

function isEmpty({ counts }: Buckets): boolean {
  return counts.every((count) => count === 0)
}

const NO_BUCKETS: Buckets = { offset: 0, counts: [] }

function rescale(from: ExponentialBuckets, scale: number, zeroThreshold: number): ExponentialBuckets {
  const positive = scaleDown(from.positive, from.scale - scale)
  const negative = scaleDown(from.negative, from.scale - scale)
  if (zeroThreshold === from.zeroThreshold) return { ...from, scale, positive, negative }
  const end = zeroBucketEnd(zeroThreshold, scale)
  return {
    scale,
    zeroCount: from.zeroCount + countBefore(positive, end) + countBefore(negative, end),
    zeroThreshold,
    positive: bucketsFrom(positive, end),
    negative: bucketsFrom(negative, end),
  }
}

function countBefore({ offset, counts }: Buckets, end: number): number {
  let count = 0
  for (let at = 0; at < counts.length && offset + at < end; at += 1) count += counts[at] ?? 0
  return count
}

function bucketsFrom(buckets: Buckets, start: number): Buckets {
  if (start <= buckets.offset) return buckets
  return { offset: start, counts: buckets.counts.slice(start - buckets.offset) }
}

/** Undefined where a bucket would be negative. */
function subtract(later: Buckets, earlier: Buckets): Buckets | undefined {
  const counts = later.counts.slice()
  const shift = earlier.offset - later.offset
  for (let at = 0; at < earlier.counts.length; at += 1) {
    const count = earlier.counts[at] ?? 0
    if (count === 0) continue
    const rest = (counts[at + shift] ?? 0) - count
    if (rest < 0) return undefined
    counts[at + shift] = rest
  }
  return { offset: later.offset, counts }
}
