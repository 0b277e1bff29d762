import { setMaxListeners } from 'node:events'

/** What a decoded record holds beside the bytes it came in, roughly: `0` in an array takes two bytes, its dead letter 400. */
const RECORD_BYTES = 512

interface Held {
  readonly entries: number
  /** Of the entries as they were read. */
  readonly bytes: number
  readonly records: number
}

const NOTHING: Held = { entries: 0, bytes: 0, records: 0 }

const recordBytes = ({ records }: Held): number => records * RECORD_BYTES
const allBytes = (held: Held): number => held.bytes + recordBytes(held)

/**
 * The bytes that were read from Redis and are not settled yet, over all streams of a process, and their limit.
 *
 * Readers wait for {@link room} before they read and decoders for {@link roomForRecords} before they decode more, so what is held is at most
 * the limit, one reply a stream, and as much again for decoded records: with PostgreSQL stopped, reading pauses and memory stays flat.
 * Decoders look at decoded records alone, never at what still waits to be decoded: what they wait for is always on its way out.
 *
 * A share of the limit is kept for each stream, an eighth of it with three: one that cannot write (its table is locked) does not starve the others.
 */
export class InFlight {
  readonly limitBytes: number
  readonly #streams: readonly string[]
  readonly #share: number
  readonly #byStream = new Map<string, Held>()
  readonly #forgotten = new Set<string>()
  #waiting: (() => void)[] = []
  readonly #pauses = new Set<{ readonly since: number }>()
  #pausedMs = 0

  /** @param streams every stream that is going to be read. */
  constructor(limitBytes: number, streams: readonly string[]) {
    this.limitBytes = limitBytes
    this.#streams = streams
    this.#share = limitBytes / (2 * streams.length + 2)
  }

  /** Bytes of all streams, decoded records included. */
  get bytes(): number {
    let bytes = 0
    for (const held of this.#byStream.values()) bytes += allBytes(held)
    return bytes
  }

  /** What is held of one stream. */
  of(stream: string): { readonly entries: number; readonly bytes: number } {
    const held = this.#byStream.get(stream) ?? NOTHING
    return { entries: held.entries, bytes: allBytes(held) }
  }

  /** Milliseconds that readers have spent waiting for room since the start, those that wait now included. */
  get pausedMs(): number {
    let ms = this.#pausedMs
    for (const { since } of this.#pauses) ms += performance.now() - since
    return ms
  }

  /** Entries were read. */
  read(stream: string, { entries, bytes }: Omit<Held, 'records'>): void {
    this.#change(stream, { entries, bytes, records: 0 }, 1)
  }

  /** Records, good and refused, were made of entries that are held. */
  decoded(stream: string, records: number): void {
    this.#change(stream, { entries: 0, bytes: 0, records }, 1)
  }

  /** Entries and all that was made of them are committed and acknowledged. */
  settled(stream: string, held: Held): void {
    this.#change(stream, held, -1)
    this.#wake()
  }

  /** Lets go of all that is held of a stream whose ingest has failed, so that the other streams have room. */
  forget(stream: string): void {
    this.#forgotten.add(stream)
    this.#byStream.delete(stream)
    this.#wake()
  }

  /** Whether a stream may read more. */
  hasRoom(stream: string): boolean {
    return this.#hasRoom(stream, allBytes)
  }

  /** Resolves when a stream may read more. @throws the signal's reason when it aborts first. */
  async room(stream: string, signal: AbortSignal): Promise<void> {
    if (this.#hasRoom(stream, allBytes)) return
    const pause = { since: performance.now() }
    this.#pauses.add(pause)
    try {
      while (!this.#hasRoom(stream, allBytes)) await this.#nextWake(signal)
    } finally {
      this.#pauses.delete(pause)
      this.#pausedMs += performance.now() - pause.since
    }
  }

  /** Resolves when more entries of a stream may be decoded. @throws the signal's reason when it aborts first. */
  async roomForRecords(stream: string, signal: AbortSignal): Promise<void> {
    while (!this.#hasRoom(stream, recordBytes)) await this.#nextWake(signal)
  }

  /** Resolves when nothing of the stream is held any more. @throws the signal's reason when it aborts first. */
  async drained(stream: string, signal: AbortSignal): Promise<void> {
    while (this.of(stream).entries > 0) await this.#nextWake(signal)
  }

  /** Within its own share a stream always has room; past it, in what is left when the others have theirs. */
  #hasRoom(stream: string, bytesOf: (held: Held) => number): boolean {
    const heldOf = (each: string) => bytesOf(this.#byStream.get(each) ?? NOTHING)
    const own = heldOf(stream)
    if (own < this.#share) return true
    let taken = own
    for (const other of this.#streams) {
      if (other !== stream && !this.#forgotten.has(other)) taken += Math.max(this.#share, heldOf(other))
    }
    return taken < this.limitBytes
  }

  #change(stream: string, by: Held, sign: 1 | -1): void {
    if (this.#forgotten.has(stream)) return
    const held = this.#byStream.get(stream) ?? NOTHING
    this.#byStream.set(stream, {
      entries: held.entries + sign * by.entries,
      bytes: held.bytes + sign * by.bytes,
      records: held.records + sign * by.records,
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #nextWake(signal: AbortSignal): Promise<void> {
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
