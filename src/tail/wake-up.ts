import type { Watcher } from './watcher.ts'

/** What of the thread's time those who are woken may take: the rest is for ingest and for queries. */
const SHARE = 0.1
/** Of each of them the pause is no longer than this: what a clock tells counts what others do meanwhile, too. */
const MAX_PAUSE_EACH_MS = 0.5
const MAX_PAUSE_MS = 500

/**
 * Wakes watchers who have something, all together, and then leaves them be for nine times as long as that took: of a few each record goes out at once, and of a
 * thousand several go out together, so that they never take the thread from ingest.
 */
export class WakeUp<T> {
  readonly #ready = new Set<Watcher<T>>()
  #timer: NodeJS.Timeout | undefined
  #isWaking = false
  #notBeforeMs = 0

  /** To be woken soon; the set is given to, by whoever has something. */
  get ready(): Set<Watcher<T>> {
    return this.#ready
  }

  /** Sees to it that all who are ready are woken. */
  soon(): void {
    if (this.#ready.size === 0 || this.#isWaking || this.#timer !== undefined) return
    const pauseMs = this.#notBeforeMs - performance.now()
    if (pauseMs < 1) this.#wakeAll()
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#wakeAll()
      }, pauseMs)
    }
  }

  #wakeAll(): void {
    this.#isWaking = true
    const startedMs = performance.now()
    const ready = [...this.#ready]
    this.#ready.clear()
    for (const watcher of ready) watcher.wake()
    // What they do is done when the next turn of the event loop begins.
    setImmediate(() => {
      this.#isWaking = false
      const nowMs = performance.now()
      const pauseMs = (nowMs - startedMs) * (1 / SHARE - 1)
      this.#notBeforeMs = nowMs + Math.min(pauseMs, ready.length * MAX_PAUSE_EACH_MS, MAX_PAUSE_MS)
      this.soon()
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
