import { ExplicitSum } from './explicit-sum.ts'
import { ExponentialSum, type ExponentialTotals } from './exponential-sum.ts'
import type { ExplicitBuckets, HistogramPoint } from './histogram-point.ts'
import { isCount, knownBuckets } from './known-buckets.ts'
import { quantileOf } from './quantile-of.ts'

/** What a {@link HistogramSum} holds. */
export interface HistogramTotals {
  readonly count: number
  readonly sum?: number
  readonly min?: number
  readonly max?: number
  readonly explicit?: readonly ExplicitBuckets[] | 'overfull'
  readonly exponential?: ExponentialTotals
}

/**
 * Histograms, added up: points of delta temporality, or increases of cumulative ones. In whichever order they are added, the result
 * is the same, but for the rounding of `sum`. What is held is bounded: MAX_BUCKETS_HELD, MAX_BOUNDS_HELD.
 *
 * A point whose own count is negative or NaN is left out. One whose buckets are malformed or not known, see `knownBuckets`, adds to
 * all but the quantiles, which are of the measurements in buckets.
 */
export class HistogramSum {
  readonly #explicit = new ExplicitSum()
  readonly #exponential = new ExponentialSum()
  #count = 0
  #sum: number | undefined
  #min: number | undefined
  #max: number | undefined

  get count(): number {
    return this.#count
  }

  /** Of the points that have one. Undefined if none has. */
  get sum(): number | undefined {
    return this.#sum
  }

  /** Of the points that have one, which increases do not. */
  get min(): number | undefined {
    return this.#min
  }

  /** Of the points that have one, which increases do not. */
  get max(): number | undefined {
    return this.#max
  }

  /** Merging them into another sum is adding all that was added to this one. */
  get totals(): HistogramTotals {
    const { totals: explicit } = this.#explicit
    const { totals: exponential } = this.#exponential
    return {
      count: this.#count,
      ...(this.#sum !== undefined && { sum: this.#sum }),
      ...(this.#min !== undefined && { min: this.#min }),
      ...(this.#max !== undefined && { max: this.#max }),
      ...(explicit.length > 0 && { explicit }),
      ...(exponential !== undefined && { exponential }),
    }
  }

  add(point: HistogramPoint): void {
    if (!isCount(point.count)) return
    this.#addMeasures(point)
    const { explicit, exponential } = knownBuckets(point)
    if (explicit !== undefined) this.#explicit.add(explicit)
    if (exponential !== undefined) this.#exponential.add(exponential)
  }

  /** Adds what another sum holds. */
  merge(totals: HistogramTotals): void {
    this.#addMeasures(totals)
    if (totals.explicit !== undefined) this.#explicit.merge(totals.explicit)
    if (totals.exponential !== undefined) this.#exponential.merge(totals.exponential)
  }

  #addMeasures({ count, sum, min, max }: Pick<HistogramTotals, 'count' | 'sum' | 'min' | 'max'>): void {
    this.#count += count
    if (sum !== undefined) this.#sum = (this.#sum ?? 0) + sum
    // Written so that NaN is neither taken nor kept.
    if (min !== undefined && min < (this.#min ?? Number.POSITIVE_INFINITY)) this.#min = min
    if (max !== undefined && max > (this.#max ?? Number.NEGATIVE_INFINITY)) this.#max = max
  }

  /**
   * An estimate, interpolated in the bucket as Prometheus' `histogram_quantile` does: between explicit bounds linear, in exponential
   * buckets geometric. The true quantile is in the same bucket. Where points have different bounds, or buckets of both kinds, it is the
   * quantile of the mixture of their distributions.
   *
   * @param q from 0 to 1.
   * @returns undefined where no measurement is in a bucket, where the lists of bounds are too many to hold, or for another `q`.
   */
  quantile(q: number): number | undefined {
    if (!(q >= 0 && q <= 1) || this.#explicit.isOverfull) return undefined
    return quantileOf([...this.#explicit.distributions(), this.#exponential.distribution()], q)
  }
}
