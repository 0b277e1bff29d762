import { ExplicitSum } from './explicit-sum.ts'
import { ExponentialSum } from './exponential-sum.ts'
import type { HistogramPoint } from './histogram-point.ts'
import { isCount, knownBuckets } from './known-buckets.ts'
import { quantileOf } from './quantile-of.ts'

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

  add(point: HistogramPoint): void {
    if (!isCount(point.count)) return
    this.#count += point.count
    if (point.sum !== undefined) this.#sum = (this.#sum ?? 0) + point.sum
    // Written so that NaN is neither taken nor kept.
    if (point.min !== undefined && point.min < (this.#min ?? Number.POSITIVE_INFINITY)) this.#min = point.min
    if (point.max !== undefined && point.max > (this.#max ?? Number.NEGATIVE_INFINITY)) this.#max = point.max
    const { explicit, exponential } = knownBuckets(point)
    if (explicit !== undefined) this.#explicit.add(explicit)
    if (exponential !== undefined) this.#exponential.add(exponential)
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
