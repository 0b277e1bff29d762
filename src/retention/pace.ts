import { sleep } from '../lifecycle.ts'

/** Pieces of work that took less are taken together: timers are not exact, and a rest has its price. */
const LEAST_MS = 20
/** The longest rest, also after what the server took to sort: a transaction is open, and keeps old rows from being vacuumed. */
const MOST_MS = 2000

/** What gives way to ingest and queries rests so many times as long as it has worked: it takes a third of the time of one connection. */
export const REST = 2

/** Work that gives way to what else the server does: see {@link REST}. */
export class Pace {
  #startedMs = performance.now()

  /** To be awaited between two pieces of work. @throws the `signal`'s reason. */
  async rest(signal?: AbortSignal): Promise<void> {
    const workedMs = performance.now() - this.#startedMs
    if (workedMs < LEAST_MS) return
    await sleep(Math.min(REST * workedMs, MOST_MS), signal)
    this.#startedMs = performance.now()
  }
}
