import { type SpreadBucket, shareUpTo, valueAt } from './spread-bucket.ts'

/** Steps between two bounds, each halving what is left: past the 53 bits of a double. */
const MAX_STEPS = 64

/**
 * The smallest value that at least the share `q` of all measurements is up to, undefined where there are none.
 *
 * @param distributions each of non-empty buckets that ascend and do not overlap. One alone is interpolated as Prometheus does
 *   (promql/quantile.go), save that at q = 0 it is the lower end of the first bucket that is not empty. Of several it is the quantile of
 *   their mixture, whose distribution function is the sum of theirs.
 */
export function quantileOf(
  distributions: readonly (readonly SpreadBucket[])[],
  q: number,
): number | undefined {
  const [first, ...others] = distributions.filter((buckets) => buckets.length > 0)
  if (first === undefined) return undefined
  return others.length === 0 ? quantileOfOne(first, q) : quantileOfMixture([first, ...others].flat(), q)
}

function quantileOfOne(buckets: readonly SpreadBucket[], q: number): number | undefined {
  const rank = q * totalOf(buckets)
  let before = 0
  for (const bucket of buckets) {
    if (before + bucket.count >= rank) return valueAt(bucket, (rank - before) / bucket.count)
    before += bucket.count
  }
  return buckets.at(-1)?.upper
}

function quantileOfMixture(buckets: readonly SpreadBucket[], q: number): number | undefined {
  const rank = q * totalOf(buckets)
  const bounds = Float64Array.from(buckets.flatMap(({ lower, upper }) => [lower, upper])).sort()
  const at = firstReaching(bounds, (bound) => countUpTo(buckets, bound) >= rank)
  const high = bounds[at]
  const low = bounds[at - 1]
  // Before the lowest bound there is nothing to interpolate.
  if (high === undefined || low === undefined) return high ?? bounds.at(-1)
  return bisect(low, high, (value) => countUpTo(buckets, value) >= rank)
}

function totalOf(buckets: readonly SpreadBucket[]): number {
  return buckets.reduce((total, { count }) => total + count, 0)
}

function countUpTo(buckets: readonly SpreadBucket[], value: number): number {
  return buckets.reduce((total, bucket) => total + bucket.count * shareUpTo(bucket, value), 0)
}

function firstReaching(bounds: Float64Array, reaches: (bound: number) => boolean): number {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (reaches(bounds[middle] ?? 0)) high = middle
    else low = middle + 1
  }
  return low
}

function bisect(from: number, to: number, reaches: (value: number) => boolean): number {
  let low = from
  let high = to
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const middle = middleOf(low, high)
    if (middle <= low || middle >= high) break
    if (reaches(middle)) high = middle
    else low = middle
  }
  return high
}

/** The geometric mean away from 0: halving differences would need a thousand steps from 1 to the least double. */
function middleOf(low: number, high: number): number {
  if (low > 0 || high < 0) return Math.sign(low) * Math.sqrt(Math.abs(low)) * Math.sqrt(Math.abs(high))
  return low / 2 + high / 2
}
