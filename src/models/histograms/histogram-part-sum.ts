import { HistogramHistory } from './histogram-history.ts'
import { type HistogramPart, newestQuantiles, type ToldQuantiles } from './histogram-part.ts'
import { HistogramSum } from './histogram-sum.ts'

/** Parts of one series that follow each other, as one part. */
export class HistogramPartSum {
  readonly #isDelta: boolean
  readonly #history: HistogramHistory
  readonly #since = new HistogramSum()
  readonly #first: HistogramPart
  #points = 0
  #lastTime: bigint
  #quantiles: ToldQuantiles | undefined

  constructor(first: HistogramPart, isDelta: boolean) {
    this.#isDelta = isDelta
    this.#history = new HistogramHistory(isDelta)
    this.#first = first
    this.#lastTime = first.lastTime
    this.add(first)
  }

  /** @param part in the order of first points. */
  add(part: HistogramPart): void {
    this.#history.add(part, this.#since, false)
    this.#points += part.points
    if (part.lastTime > this.#lastTime) this.#lastTime = part.lastTime
    this.#quantiles = newestQuantiles(this.#quantiles, part.quantiles)
  }

  get part(): HistogramPart {
    const { firstTime, firstStart, first } = this.#first
    return {
      points: this.#points,
      firstTime,
      firstStart,
      // Of cumulative temporality, that of the last point.
      lastTime: this.#history.last?.lastTime ?? this.#lastTime,
      first: this.#isDelta ? undefined : first,
      last: this.#history.last?.last,
      since: this.#points === 1 && !this.#isDelta ? undefined : this.#since.totals,
      quantiles: this.#quantiles,
    }
  }
}
