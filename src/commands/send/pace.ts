import { sleep } from '../../lifecycle.ts'

/** Timers are not more exact than this; a wait that is shorter is made up for later. */
const SHORTEST_WAIT_MS = 5

/** Lets through so many per second, evenly. After a stall it does not catch up by more than a second's worth. */
export class Pace {
  readonly #perSecond: number
  readonly #signal: AbortSignal
  #dueMs = performance.now()

  /** `perSecond` may be Infinity. */
  constructor(perSecond: number, signal: AbortSignal) {
    this.#perSecond = perSecond
    this.#signal = signal
  }

  /** Resolves when the next one may go. Rejects with the signal's reason when aborted. */
  async next(): Promise<void> {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return
    const now = performance.now()
    this.#dueMs = Math.max(this.#dueMs, now - 1000) + 1000 / this.#perSecond
    const waitMs = this.#dueMs - 1000 / this.#perSecond - now
    if (waitMs > SHORTEST_WAIT_MS) await sleep(waitMs, this.#signal)
  }
}
