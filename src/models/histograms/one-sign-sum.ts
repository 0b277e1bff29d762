import type { Buckets } from './histogram-point.ts'
import { indexAtLowerScale } from './scale-down.ts'

/** Held of one sign. The SDKs keep 160: what many points of one series span fits at their own scale or one below. */
export const MAX_BUCKETS_HELD = 320

/**
 * Exponential buckets of one sign, added up. Held are all from the lowest to the highest that is not empty, at the highest scale that no
 * point is below and at which they are at most MAX_BUCKETS_HELD. That depends on what was added, not on its order: scaling down in steps
 * is scaling down at once.
 */
export class OneSignSum {
  #scale = 0
  /** The index of the first bucket. */
  #offset = 0
  #counts = new Float64Array(0)

  get isEmpty(): boolean {
    return this.#counts.length === 0
  }

  get scale(): number {
    return this.#scale
  }

  /** As they are held: adding them to another sum is adding all that was added to this one. */
  get buckets(): Buckets {
    return { offset: this.#offset, counts: Array.from(this.#counts) }
  }

  /** @param buckets that are well-formed, see `knownBuckets`. Empty ones change nothing, not even the scale. */
  add(scale: number, { offset, counts }: Buckets): void {
    const first = counts.findIndex(isFilled)
    if (first < 0) return
    const last = counts.findLastIndex(isFilled)
    this.#makeRoom(scale, offset + first, offset + last)
    const by = scale - this.#scale
    for (let at = first; at <= last; at += 1) {
      this.#increment(indexAtLowerScale(offset + at, by), counts[at] ?? 0)
    }
  }

  /** Calls back for each bucket that is not empty, the one nearest to 0 first. */
  forEach(visit: (index: number, count: number) => void): void {
    for (let at = 0; at < this.#counts.length; at += 1) {
      const count = this.#counts[at] ?? 0
      if (count > 0) visit(this.#offset + at, count)
    }
  }

  #increment(index: number, count: number): void {
    const at = index - this.#offset
    this.#counts[at] = (this.#counts[at] ?? 0) + count
  }

  #makeRoom(scale: number, first: number, last: number): void {
    let target = this.isEmpty ? scale : Math.min(scale, this.#scale)
    let low = indexAtLowerScale(first, scale - target)
    let high = indexAtLowerScale(last, scale - target)
    if (!this.isEmpty) {
      const end = this.#offset + this.#counts.length - 1
      low = Math.min(low, indexAtLowerScale(this.#offset, this.#scale - target))
      high = Math.max(high, indexAtLowerScale(end, this.#scale - target))
    }
    // Ends after 33 steps: indexes are within 2^32 of each other.
    for (; high - low >= MAX_BUCKETS_HELD; target -= 1) {
      low = indexAtLowerScale(low, 1)
      high = indexAtLowerScale(high, 1)
    }
    // The range holds the one before: it is the same where it is as long.
    if (target === this.#scale && high - low + 1 === this.#counts.length) return
    this.#move(target, low, high)
  }

  #move(scale: number, low: number, high: number): void {
    const from = this.#counts
    const offset = this.#offset
    const by = this.#scale - scale
    this.#scale = scale
    this.#offset = low
    this.#counts = new Float64Array(high - low + 1)
    for (let at = 0; at < from.length; at += 1) {
      const count = from[at] ?? 0
      if (count > 0) this.#increment(indexAtLowerScale(offset + at, by), count)
    }
  }
}

function isFilled(count: number): boolean {
  return count > 0
}
