import { setMaxListeners } from 'node:events'

/**
 * The bytes that were read from Redis and are not settled yet, over all streams of a process, and their limit.
 *
 * Sources wait for {@link room} before they read, so at most the limit and one reply a stream is ever held: with PostgreSQL
 * stopped, reading pauses and memory stays flat. `settled` wakes whoever waits.
 */
export class InFlight {
  readonly limitBytes: number
  readonly #byStream = new Map<string, { entries: number; bytes: number }>()
  #waiting: (() => void)[] = []
  #pausedMs = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get bytes(): number {
    let bytes = 0
    for (const held of this.#byStream.values()) bytes += held.bytes
    return bytes
  }

  /** What is held of one stream. */
  of(stream: string): { readonly entries: number; readonly bytes: number } {
    return this.#byStream.get(stream) ?? { entries: 0, bytes: 0 }
  }

  /** Milliseconds that sources have spent waiting for room, since the start. */
  get pausedMs(): number {
    return this.#pausedMs
  }

  add(stream: string, entries: number, bytes: number): void {
    const held = this.#byStream.get(stream) ?? { entries: 0, bytes: 0 }
    held.entries += entries
    held.bytes += bytes
    this.#byStream.set(stream, held)
  }

  settled(stream: string, entries: number, bytes: number): void {
    this.add(stream, -entries, -bytes)
    this.#wake()
  }

  /** Lets go of all that is held of a stream whose ingest has failed, so that the other streams have room. */
  forget(stream: string): void {
    this.#byStream.delete(stream)
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves when less than the limit is held. @throws the signal's reason when it aborts first. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.bytes < this.limitBytes) return
    const started = performance.now()
    while (this.bytes >= this.limitBytes) await this.#change(signal)
    this.#pausedMs += performance.now() - started
  }

  /** Resolves when nothing of the stream is held any more. @throws the signal's reason when it aborts first. */
  async drained(stream: string, signal: AbortSignal): Promise<void> {
    while (this.of(stream).entries > 0) await this.#change(signal)
  }

  #change(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    setMaxListeners(0, signal)
    return new Promise((resolve, reject) => {
      const aborted = () => reject(signal.reason)
      signal.addEventListener('abort', aborted, { once: true })
      this.#waiting.push(() => {
        signal.removeEventListener('abort', aborted)
        resolve()
      })
    })
  }
}
