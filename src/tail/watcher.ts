import type { Gap, TailEvent } from './tail-event.ts'
import type { TailRecord } from './tail-record.ts'

/** Records that wait for one watcher, at most, and their JSON together. */
const MAX_RECORDS = 5000
const MAX_BYTES = 4 * 1024 * 1024
/** Gaps that wait, at most: one past it makes the last one longer. */
const MAX_GAPS = 16

/**
 * The queue between the hub and one watcher.
 *
 * States: *joining* (what came before is still being sent: what comes waits; when that is too much all of it is let go, and {@link Watcher.isBehind} says that it is to be read again) →
 * *live* (taken as it comes) ⇄ *dropping* (too much waits: what comes is counted, until all that waits was taken; then the count is told, and it is live again) → *ended*.
 */
export class Watcher<T> {
  #state: 'joining' | 'live' | 'dropping' | 'ended' = 'joining'
  #queue: (TailRecord<T> | Gap)[] = []
  #records = 0
  #bytes = 0
  #gaps = 0
  /** Not told yet. */
  #dropped = 0
  #toldDropped = 0
  #isBehind = false
  #isBeating = false
  #ending: TailEvent | undefined
  #wake: (() => void) | undefined

  /** Records that were left out because too many waited. It never falls: what is let go while it is joining may be read again. */
  get dropped(): number {
    return this.#toldDropped + (this.#isBehind ? 0 : this.#dropped)
  }

  /** Whether, while it was joining, records were let go. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Whether somebody waits for what there is. */
  get isReady(): boolean {
    return this.#wake !== undefined && this.#hasEvents()
  }

  offer(record: TailRecord<T>): void {
    const bytes = record.json.length
    if (this.#state === 'dropping' || this.#isBehind) this.#drop()
    else if (this.#records >= MAX_RECORDS || this.#bytes + bytes > MAX_BYTES) this.#overflow()
    else {
      this.#queue.push(record)
      this.#records += 1
      this.#bytes += bytes
    }
  }

  #drop(): void {
    this.#dropped += 1
  }

  #overflow(): void {
    if (this.#state === 'joining') {
      this.#isBehind = true
      this.#dropped = this.#records
      this.#clear()
    } else this.#state = 'dropping'
    this.#drop()
  }

  /** Entries were passed over at this place. */
  gap(gap: Gap): void {
    if (this.#gaps < MAX_GAPS) {
      this.#queue.push(gap)
      this.#gaps += 1
      return
    }
    const place = this.#queue.findLastIndex(({ kind }) => kind === 'gap')
    const last = this.#queue[place] as Gap
    const entries = last.entries === null || gap.entries === null ? null : last.entries + gap.entries
    this.#queue[place] = { ...gap, from: last.from, entries }
  }

  /** Says that nothing was left out up to now. */
  beat(): void {
    this.#isBeating = true
  }

  /** Nothing comes after this. */
  end(event: TailEvent): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#ending = event
    this.wake()
  }

  /** Begins to wait again for all that comes from now on. */
  joinAgain(): void {
    this.#isBehind = false
    this.#dropped = 0
    this.#clear()
  }

  /** What came before was sent. */
  goLive(): void {
    if (this.#state !== 'joining') return
    this.#state = this.#isBehind ? 'dropping' : 'live'
    this.#isBehind = false
    this.#isBeating = true
  }

  /** Lets whoever waits take what there is. */
  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /**
   * Waits for events, and takes them. Of one reader, one call at a time.
   *
   * @param signal ends the waiting when the watcher is {@link wake woken} after it was aborted.
   * @returns undefined when it has ended and all was taken.
   */
  async next(maxBytes: number, signal: AbortSignal): Promise<readonly TailEvent[] | undefined> {
    while (!this.#hasEvents() && !signal.aborted) {
      if (this.#state === 'ended') return undefined
      await this.#woken()
    }
    return signal.aborted ? undefined : this.#take(maxBytes)
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #hasEvents(): boolean {
    return this.#queue.length > 0 || this.#dropped > 0 || this.#isBeating || this.#ending !== undefined
  }

  #take(maxBytes: number): readonly TailEvent[] {
    const events: TailEvent[] = []
    let count = 0
    for (let bytes = 0; count < this.#queue.length && bytes < maxBytes; count += 1) {
      const event = this.#queue[count]
      if (event === undefined) break
      if (event.kind === 'record') bytes += event.json.length
      this.#forget(event)
      events.push(event)
    }
    this.#queue = this.#queue.slice(count)
    if (this.#queue.length === 0) events.push(...this.#takeRest())
    return events
  }

  #forget(event: TailRecord<T> | Gap): void {
    if (event.kind === 'gap') {
      this.#gaps -= 1
      return
    }
    this.#records -= 1
    this.#bytes -= event.json.length
  }

  #takeRest(): readonly TailEvent[] {
    const events: TailEvent[] = []
    if (this.#dropped > 0) events.push({ kind: 'dropped', count: this.#dropped })
    this.#toldDropped += this.#dropped
    this.#dropped = 0
    if (this.#state === 'dropping') this.#state = 'live'
    if (this.#ending !== undefined) events.push(this.#ending)
    else if (this.#isBeating) events.push({ kind: 'heartbeat', time: new Date().toISOString() })
    this.#ending = undefined
    this.#isBeating = false
    return events
  }

  #clear(): void {
    this.#queue = []
    this.#records = 0
    this.#bytes = 0
    this.#gaps = 0
  }
}
