import { randomFillSync } from 'node:crypto'

/** One call for random bytes costs several microseconds, however few it fetches: they are fetched ahead. */
const POOL_BYTES = 4096

/** Random ids in hex, as W3C Trace Context asks for. */
export class RandomIds {
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #used = POOL_BYTES

  next(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const start = this.#used
    this.#used += bytes
    return this.#pool.toString('hex', start, this.#used)
  }
}
