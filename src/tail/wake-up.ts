import type { Watcher } from './watcher.ts'

/** What of the thread's time those who are woken may take: the rest is for ingest and for queries. */
const SHARE = 0.1
/** Those of one turn of the event loop: what is written in between, a batch most of all, takes several turns, and waits for the rest of a turn in each. */
const WATCHERS_A_TURN = 4
/** Of each of them the pause is no longer than this: what a clock tells counts what others do meanwhile, too. */
const MAX_PAUSE_EACH_MS = 1

/**
 * Wakes watchers who have something, some at a time, and then leaves them be for several times as long as that took: of a few each record goes out at once, and of a
 * thousand several go out together, so that they never take the thread from ingest.
 */
export class WakeUp<T> {
  readonly #ready = new Set<Watcher<T>>()
  #timer: NodeJS.Timeout | undefined
  #isWaking = false
  #notBeforeMs = 0

  /** To be woken soon; the set is given to, by whoever has something. Who was given something first is woken first. */
  get ready(): Set<Watcher<T>> {
    return this.#ready
  }

  /** Sees to it that all who are ready are woken. */
  soon(): void {
    if (this.#ready.size === 0 || this.#isWaking || this.#timer !== undefined) return
    const pauseMs = this.#notBeforeMs - performance.now()
    if (pauseMs < 1) this.#wakeSome()
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#wakeSome()
      }, pauseMs)
    }
  }

  #wakeSome(): void {
    this.#isWaking = true
    const startedMs = performance.now()
    let woken = 0
    for (const watcher of this.#ready) {
      if (woken === WATCHERS_A_TURN) break
      this.#ready.delete(watcher)
      watcher.wake()
      woken += 1
    }
    // What they do is done when the next turn of the event loop begins.
    setImmediate(() => {
      this.#isWaking = false
      const nowMs = performance.now()
      const pauseMs = (nowMs - startedMs) * (1 / SHARE - 1)
      this.#notBeforeMs = nowMs + Math.min(pauseMs, woken * MAX_PAUSE_EACH_MS)
      this.soon()
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
