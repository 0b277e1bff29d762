import { FanOut } from './fan-out.ts'
import { LiveReader, type LiveSource } from './live-reader.ts'
import { WakeUp } from './wake-up.ts'
import type { Watcher } from './watcher.ts'
import type { Selection } from './watcher-group.ts'

/** Nobody watching for so long, it reads no more: who comes back after a moment finds it as it was. */
export const LINGER_MS = 30_000
const HEARTBEAT_MS = 15_000

/** A watcher that was let in. */
export interface Joined<T> {
  readonly watcher: Watcher<T>
  /** What reads the stream for it. */
  readonly live: LiveReader<T>
}

/**
 * Reads one stream for all who watch it: each entry is read and decoded once.
 *
 * States: *idle* (nobody watches, nothing is read) → *reading* (see {@link LiveReader}) → idle when nobody has watched for half a minute; from either, *closed* for good.
 */
export class TailHub<T extends { readonly service: string }> {
  readonly #options: LiveSource<T>
  readonly #fanOut = new FanOut<T>()
  readonly #wakeUp = new WakeUp<T>()
  readonly #closing = new AbortController()
  #droppedOfGone = 0
  #live: LiveReader<T> | undefined
  #lingering: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined

  constructor(options: LiveSource<T>) {
    this.#options = options
  }

  get watchers(): number {
    return this.#fanOut.size
  }

  /** Records left out of those who watch, or watched, because they read too slowly: also of who reads nothing at all, and is never told. */
  get dropped(): number {
    let dropped = this.#droppedOfGone
    for (const watcher of this.#fanOut.watchers()) dropped += watcher.dropped
    return dropped
  }

  /** Aborted when it closes. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /**
   * Lets a watcher in: it is given every record after `live.position` as it is now that it selects. It is to {@link leave}.
   *
   * @throws what Redis does when the stream cannot be looked at, and the reason of {@link closing} when it is closed.
   */
  async join(selection: Selection<T>): Promise<Joined<T>> {
    this.#closing.signal.throwIfAborted()
    clearTimeout(this.#lingering)
    this.#live ??= this.#begin()
    const live = this.#live
    try {
      await live.started
    } catch (error) {
      if (this.#live === live) await this.#stopReading()
      throw error
    }
    this.#closing.signal.throwIfAborted()
    return { watcher: this.#fanOut.join(selection), live }
  }

  leave(watcher: Watcher<T>): void {
    const { dropped } = watcher
    if (this.#fanOut.leave(watcher)) this.#droppedOfGone += dropped
    if (this.#fanOut.size > 0 || this.#closing.signal.aborted) return
    clearTimeout(this.#lingering)
    this.#lingering = setTimeout(() => {
      if (this.#fanOut.size === 0) void this.#stopReading()
    }, LINGER_MS)
    this.#lingering.unref()
  }

  /** Says goodbye to all who watch, and reads no more. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The tail is closed'))
    clearTimeout(this.#lingering)
    for (const watcher of this.#fanOut.watchers()) watcher.end({ kind: 'bye', reason: 'shutdown' })
    await this.#stopReading()
  }

  #begin(): LiveReader<T> {
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    const { ready } = this.#wakeUp
    return new LiveReader<T>({
      ...this.#options,
      onRecord: (record) => {
        this.#fanOut.give(record, ready)
        record.forget()
      },
      onGap: (gap) => {
        for (const watcher of this.#fanOut.watchers()) {
          watcher.gap(gap)
          ready.add(watcher)
        }
      },
      onRead: () => this.#wakeUp.soon(),
      isBehind: () => ready.size > 0,
    })
  }

  #beat(): void {
    for (const watcher of this.#fanOut.watchers()) {
      watcher.beat()
      this.#wakeUp.ready.add(watcher)
    }
    this.#wakeUp.soon()
  }

  async #stopReading(): Promise<void> {
    const live = this.#live
    this.#live = undefined
    clearInterval(this.#heartbeat)
    if (this.#closing.signal.aborted) this.#wakeUp.stop()
    await live?.stop()
  }
}
