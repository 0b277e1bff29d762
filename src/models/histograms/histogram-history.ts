import type { HistogramPart } from './histogram-part.ts'
import type { HistogramSum } from './histogram-sum.ts'
import { increaseOf } from './increase-of.ts'

/**
 * The parts of one series, in the order of their first points: what each of them measured, of cumulative temporality since the part before it.
 *
 * A cumulative part that begins before the one before it has ended adds nothing: what was measured meanwhile is in that one. (It came late, for a time whose points had been put together and
 * taken away.)
 */
export class HistogramHistory {
  readonly #isDelta: boolean
  #last: HistogramPart | undefined

  constructor(isDelta: boolean) {
    this.#isDelta = isDelta
  }

  /** The last part that counts for those that follow. */
  get last(): HistogramPart | undefined {
    return this.#last
  }

  /**
   * @param sum what is added to; undefined where the part is only what others follow.
   * @param isWhole of the first part alone: whether its first point counts as a whole. If not, it is not known since when it does, and adds nothing.
   */
  add(part: HistogramPart, sum: HistogramSum | undefined, isWhole: boolean): void {
    const previous = this.#last
    const { first, firstStart, since } = part
    if (this.#isDelta) {
      if (first !== undefined) sum?.add(first)
    } else {
      if (previous !== undefined && part.firstTime < previous.lastTime) return
      this.#last = part
      if (first !== undefined && previous !== undefined) {
        const isNew = firstStart !== undefined && firstStart > previous.lastTime
        sum?.add(increaseOf(first, isNew ? undefined : previous.last))
      } else if (first !== undefined && isWhole) sum?.add(first)
    }
    if (since !== undefined) sum?.merge(since)
  }
}
