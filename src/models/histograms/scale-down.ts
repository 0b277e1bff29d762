import type { Buckets } from './histogram-point.ts'

/**
 * The index, at a scale lower by `by`, of the bucket that holds bucket `index`: 2^by adjacent buckets become one ("perfect subsetting",
 * OpenTelemetry, metrics data model, "ExponentialHistogram"). It is `index >> by`, also past 32 bits.
 */
export function indexAtLowerScale(index: number, by: number): number {
  return Math.floor(index / 2 ** by)
}

/** The same measurements at a scale that is lower by `by`: exact, no count is split. */
export function scaleDown(buckets: Buckets, by: number): Buckets {
  if (by === 0 || buckets.counts.length === 0) return buckets
  const offset = indexAtLowerScale(buckets.offset, by)
  const last = indexAtLowerScale(buckets.offset + buckets.counts.length - 1, by)
  const counts = new Array<number>(last - offset + 1).fill(0)
  for (let at = 0; at < buckets.counts.length; at += 1) {
    const target = indexAtLowerScale(buckets.offset + at, by) - offset
    counts[target] = (counts[target] ?? 0) + (buckets.counts[at] ?? 0)
  }
  return { offset, counts }
}
