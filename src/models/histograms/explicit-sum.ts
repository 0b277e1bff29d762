import type { ExplicitBuckets } from './histogram-point.ts'
import type { SpreadBucket } from './spread-bucket.ts'

/** Of all different lists of bounds of one sum together: about half a megabyte. The SDKs' own list has 15. */
export const MAX_BOUNDS_HELD = 16_384

/** What a list costs beside its bounds, in bounds. */
const LIST_COST = 16

interface Layout {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
}

/**
 * Explicit buckets, added up by their bounds. From the first list of bounds too many on it is overfull: it holds nothing, adds nothing
 * and has no distribution. Leaving out what came last would make the result depend on the order.
 */
export class ExplicitSum {
  readonly #layouts = new Map<string, Layout>()
  #latest: Layout | undefined
  #boundsHeld = 0

  get isOverfull(): boolean {
    return this.#boundsHeld > MAX_BOUNDS_HELD
  }

  /** Adding them to another sum is adding all that was added to this one; `overfull` where that makes it overfull. */
  get totals(): readonly ExplicitBuckets[] | 'overfull' {
    if (this.isOverfull) return 'overfull'
    return [...this.#layouts.values()].map(({ bounds, counts }) => ({ bounds, counts: Array.from(counts) }))
  }

  /** Adds what another sum holds. */
  merge(totals: readonly ExplicitBuckets[] | 'overfull'): void {
    if (totals === 'overfull') {
      this.#boundsHeld = MAX_BOUNDS_HELD + 1
      this.#layouts.clear()
    } else for (const buckets of totals) this.add(buckets)
  }

  /** @param buckets that are well-formed, see `knownBuckets`. Their bounds are kept, not copied. */
  add({ bounds, counts }: ExplicitBuckets): void {
    const sums = this.#layoutOf(bounds)?.counts
    if (sums === undefined) return
    for (let at = 0; at < counts.length; at += 1) sums[at] = (sums[at] ?? 0) + (counts[at] ?? 0)
  }

  /** The buckets that are not empty, a list for each list of bounds. */
  distributions(): readonly (readonly SpreadBucket[])[] {
    return [...this.#layouts.values()].map(distributionOf)
  }

  #layoutOf(bounds: readonly number[]): Layout | undefined {
    if (this.isOverfull) return undefined
    // Points of one series follow each other: no key need be made.
    if (this.#latest !== undefined && areEqual(this.#latest.bounds, bounds)) return this.#latest
    const key = bounds.join()
    this.#latest = this.#layouts.get(key) ?? this.#addLayout(key, bounds)
    return this.#latest
  }

  #addLayout(key: string, bounds: readonly number[]): Layout | undefined {
    this.#boundsHeld += LIST_COST + bounds.length
    if (this.isOverfull) {
      this.#layouts.clear()
      return undefined
    }
    const layout = { bounds, counts: new Float64Array(bounds.length + 1) }
    this.#layouts.set(key, layout)
    return layout
  }
}

function areEqual(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((bound, at) => bound === others[at])
}

/** Classic histograms of Prometheus: linear in the bucket, and a point where one end is not known (promql/quantile.go, BucketQuantile). */
function distributionOf({ bounds, counts }: Layout): readonly SpreadBucket[] {
  const buckets: SpreadBucket[] = []
  const highest = bounds.at(-1) ?? 0
  for (const [at, count] of counts.entries()) {
    if (count === 0) continue
    const upper = bounds[at] ?? highest
    // The last bucket is at the highest bound. The first begins at 0, or is at its bound where that is not above 0.
    const lower = at === bounds.length ? upper : (bounds[at - 1] ?? Math.min(0, upper))
    buckets.push({ lower, upper, count, isGeometric: false })
  }
  return buckets
}
