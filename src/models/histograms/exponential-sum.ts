import type { Buckets, ExponentialBuckets } from './histogram-point.ts'
import { OneSignSum } from './one-sign-sum.ts'
import type { SpreadBucket } from './spread-bucket.ts'
import { zeroBucketEnd } from './zero-bucket-end.ts'

/** Buckets of one sign, which may be coarser than those of the other. */
interface ScaledBuckets extends Buckets {
  readonly scale: number
}

/** What an {@link ExponentialSum} holds. */
export interface ExponentialTotals {
  readonly zeroCount: number
  readonly zeroThreshold: number
  readonly positive: ScaledBuckets
  readonly negative: ScaledBuckets
}

/**
 * Exponential histograms, added up. The largest zero threshold holds for all; buckets inside it join the zero bucket only when the
 * distribution is read, so that the order of points makes no difference.
 */
export class ExponentialSum {
  readonly #positive = new OneSignSum()
  readonly #negative = new OneSignSum()
  #zeroCount = 0
  #zeroThreshold = 0

  /** @param buckets that are well-formed, see `knownBuckets`. */
  add({ scale, zeroCount, zeroThreshold, positive, negative }: ExponentialBuckets): void {
    this.merge({
      zeroCount,
      zeroThreshold,
      positive: { scale, ...positive },
      negative: { scale, ...negative },
    })
  }

  /** Undefined where nothing was added. */
  get totals(): ExponentialTotals | undefined {
    const [positive, negative] = [this.#positive, this.#negative].map((side) => ({
      scale: side.scale,
      ...side.buckets,
    })) as [ScaledBuckets, ScaledBuckets]
    const [zeroCount, zeroThreshold] = [this.#zeroCount, this.#zeroThreshold]
    const isEmpty = zeroCount === 0 && zeroThreshold === 0 && this.#positive.isEmpty && this.#negative.isEmpty
    return isEmpty ? undefined : { zeroCount, zeroThreshold, positive, negative }
  }

  /** Adds what another sum holds. */
  merge({ zeroCount, zeroThreshold, positive, negative }: ExponentialTotals): void {
    this.#zeroCount += zeroCount
    this.#zeroThreshold = Math.max(this.#zeroThreshold, zeroThreshold)
    this.#positive.add(positive.scale, positive)
    this.#negative.add(negative.scale, negative)
  }

  /** The buckets that are not empty, ascending. Native histograms of Prometheus (promql/quantile.go, HistogramQuantile). */
  distribution(): readonly SpreadBucket[] {
    const positive = distributionOf(this.#positive, this.#zeroThreshold)
    const negative = distributionOf(this.#negative, this.#zeroThreshold)
    const mirrored = negative.outside.reverse().map(mirror)
    const count = this.#zeroCount + positive.inside + negative.inside
    return count === 0
      ? [...mirrored, ...positive.outside]
      : [...mirrored, { ...this.#zeroBucketEnds(), count, isGeometric: false }, ...positive.outside]
  }

  /** With measurements on one side of 0 only, those near it are on that side too. */
  #zeroBucketEnds(): { readonly lower: number; readonly upper: number } {
    const end = this.#zeroThreshold
    if (this.#negative.isEmpty === this.#positive.isEmpty) return { lower: -end, upper: end }
    return this.#negative.isEmpty ? { lower: 0, upper: end } : { lower: -end, upper: 0 }
  }
}

/** The buckets outside of the zero bucket, and how much is inside. A bucket that is partly inside stays, with the part that is not. */
function distributionOf(
  side: OneSignSum,
  zeroThreshold: number,
): { readonly inside: number; readonly outside: SpreadBucket[] } {
  const end = zeroBucketEnd(zeroThreshold, side.scale)
  const outside: SpreadBucket[] = []
  let inside = 0
  side.forEach((index, count) => {
    if (index < end) {
      inside += count
      return
    }
    const upper = Math.max(boundOf(index + 1, side.scale), zeroThreshold)
    const lower = Math.max(boundOf(index, side.scale), zeroThreshold)
    outside.push({ lower, upper, count, isGeometric: true })
  })
  return { inside, outside }
}

/** base^index = 2^(index / 2^scale), as a double other than 0 and Infinity, which have no logarithm to interpolate. */
function boundOf(index: number, scale: number): number {
  return Math.min(Number.MAX_VALUE, Math.max(Number.MIN_VALUE, 2 ** (index / 2 ** scale)))
}

function mirror({ lower, upper, count, isGeometric }: SpreadBucket): SpreadBucket {
  return { lower: -upper, upper: -lower, count, isGeometric }
}
