/**
 * Seeded random numbers: the same seed gives the same workload. A Weyl sequence (step: 2^32 over the golden ratio)
 * whose values go through the finaliser of MurmurHash3. Good enough to look real, not for secrets.
 */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  integer(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1))
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.integer(0, items.length - 1)] ?? items[0]
  }

  /** Picks in proportion to each item's `weight`. */
  weighted<T extends { readonly weight: number }>(items: readonly [T, ...T[]]): T {
    let left = this.next() * items.reduce((sum, item) => sum + item.weight, 0)
    for (const item of items) {
      left -= item.weight
      if (left < 0) return item
    }
    return items[0]
  }

  /** Log-normal: half of the values lie below `median`; a `spread` of 0.5 puts one in twenty above 2.3 times it. */
  skewed(median: number, spread = 0.5): number {
    const gauss = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return median * Math.exp(spread * gauss)
  }

  /** Poisson-distributed count, by Knuth's method: right for the small means of one tick. */
  count(mean: number): number {
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.between(-1.7, 1.7)))
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.next(); product > limit; product *= this.next()) count++
    return count
  }

  hex(digits: number): string {
    let text = ''
    while (text.length < digits) text += this.integer(0, 0xffff).toString(16).padStart(4, '0')
    return text.slice(0, digits)
  }
}
