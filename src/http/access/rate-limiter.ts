interface Bucket {
  tokens: number
  filledAtMs: number
}

/** Of more at once the one that came first is forgotten: it begins again with a full bucket. */
const MAX_KEYS = 10_000
const MS_PER_SECOND = 1000

/**
 * So much a second for each key, and at once what a second brings (a token bucket). What is asked for at once may be more than is there: it is owed, and until then nothing
 * more is given; so what comes in large pieces is held to the same rate.
 */
export class RateLimiter {
  readonly #perSecond: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** Seconds until something is given again; 0 when it is now. */
  waitOf(key: string, nowMs = performance.now()): number {
    const { tokens } = this.#filled(key, nowMs)
    return tokens > 0 ? 0 : -tokens / this.#perSecond + 1 / this.#perSecond
  }

  take(key: string, count = 1, nowMs = performance.now()): void {
    this.#filled(key, nowMs).tokens -= count
  }

  #filled(key: string, nowMs: number): Bucket {
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { tokens: this.#perSecond, filledAtMs: nowMs }
      this.#buckets.set(key, bucket)
      const [first] = this.#buckets.keys()
      if (this.#buckets.size > MAX_KEYS && first !== undefined) this.#buckets.delete(first)
    }
    const gained = ((nowMs - bucket.filledAtMs) / MS_PER_SECOND) * this.#perSecond
    bucket.tokens = Math.min(this.#perSecond, bucket.tokens + gained)
    bucket.filledAtMs = nowMs
    return bucket
  }
}
