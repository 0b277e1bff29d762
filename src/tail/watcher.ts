import type { Gap, TailEvent } from './tail-event.ts'
import type { TailRecord } from './tail-record.ts'

/** The records that wait for a watcher and for those who ask the same. A place counts all that there ever were. */
export interface WaitingRecords<T> {
  /** The place of the oldest record that is kept. */
  readonly first: number
  /** The place of the next record. */
  readonly end: number
  /** The records from a place on, up to before another one: at least one, and no more once they have so many bytes. The same list for the next who asks the same. */
  between(from: number, to: number, maxBytes: number): readonly TailRecord<T>[]
  /** One of them takes what there is: it is listed again with what comes next. */
  woken(): void
  /** One of them has taken all there is, or does without. */
  caughtUp(): void
}

/** Gaps that wait, at most: one past it makes the last one longer. */
const MAX_GAPS = 16

/** A gap, and the place of the record that comes after it. */
interface PlacedGap {
  readonly place: number
  readonly gap: Gap
}

/**
 * One who watches, at a place in the records of its group.
 *
 * States: *joining* (what came before is still being sent: what comes waits; when the group has let go some of that, {@link Watcher.isBehind} says that it is to be read again) → *live* (taken as it comes;
 * what the group has let go before it was taken is counted, and told in its place) → *ended*.
 */
export class Watcher<T> {
  readonly #waiting: WaitingRecords<T>
  #state: 'joining' | 'live' | 'ended' = 'joining'
  #place: number
  #gaps: PlacedGap[] = []
  #toldDropped = 0
  #isBeating = false
  #ending: TailEvent | undefined
  #wake: (() => void) | undefined

  constructor(waiting: WaitingRecords<T>) {
    this.#waiting = waiting
    this.#place = waiting.end
  }

  /** Of the next record that it takes. */
  get place(): number {
    return this.#place
  }

  /** Records that were let go before it took them. */
  get #lost(): number {
    return Math.max(0, this.#waiting.first - this.#place)
  }

  /** Records that were left out because too many waited. It never falls: what is let go while it is joining may be read again. */
  get dropped(): number {
    return this.#toldDropped + (this.#state === 'joining' ? 0 : this.#lost)
  }

  /** Whether, while it was joining, records were let go. */
  get isBehind(): boolean {
    return this.#state === 'joining' && this.#lost > 0
  }

  /** Entries were passed over at this place. */
  gap(gap: Gap): void {
    const last = this.#gaps.at(-1)
    if (last === undefined || this.#gaps.length < MAX_GAPS) {
      this.#gaps.push({ place: this.#waiting.end, gap })
      return
    }
    const { from, entries } = last.gap
    const both = entries === null || gap.entries === null ? null : entries + gap.entries
    this.#gaps[this.#gaps.length - 1] = { place: last.place, gap: { ...gap, from, entries: both } }
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
    this.#gaps = []
    this.#moveTo(this.#waiting.end)
  }

  /** What came before was sent. */
  goLive(): void {
    if (this.#state !== 'joining') return
    this.#state = 'live'
    this.#isBeating = true
  }

  /** Lets whoever waits take what there is. */
  wake(): void {
    this.#waiting.woken()
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
    while (!this.#isOver && !this.#hasEvents() && !signal.aborted) await this.#woken()
    return this.#isOver || signal.aborted ? undefined : this.#take(maxBytes)
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  get #isOver(): boolean {
    return this.#state === 'ended' && this.#ending === undefined
  }

  #hasEvents(): boolean {
    return (
      this.#place < this.#waiting.end ||
      this.#gaps.length > 0 ||
      this.#isBeating ||
      this.#ending !== undefined
    )
  }

  #take(maxBytes: number): readonly TailEvent[] {
    const before = this.#takeDropped()
    const gap = this.#gaps[0]
    const to = Math.min(gap?.place ?? this.#waiting.end, this.#waiting.end)
    const records = this.#place < to ? this.#waiting.between(this.#place, to, maxBytes) : []
    this.#moveTo(this.#place + records.length)
    if (this.#place < to) return before.concat(records)
    const after = gap === undefined ? this.#takeRest() : this.#takeGap(gap)
    // Mostly there is nothing else: then it is the list that the others of the group are given, too.
    return before.length + after.length === 0 ? records : [...before, ...records, ...after]
  }

  #takeDropped(): TailEvent[] {
    const count = this.#lost
    if (count === 0) return []
    this.#toldDropped += count
    this.#moveTo(this.#waiting.first)
    return [{ kind: 'dropped', count }]
  }

  #takeGap({ gap }: PlacedGap): readonly TailEvent[] {
    this.#gaps.shift()
    return [gap]
  }

  /** What comes when all records were taken. */
  #takeRest(): readonly TailEvent[] {
    const events: TailEvent[] = []
    if (this.#ending !== undefined) events.push(this.#ending)
    else if (this.#isBeating) events.push({ kind: 'heartbeat', time: new Date().toISOString() })
    this.#ending = undefined
    this.#isBeating = false
    return events
  }

  #moveTo(place: number): void {
    const { end } = this.#waiting
    const wasBehind = this.#place < end
    this.#place = place
    if (wasBehind && place === end) this.#waiting.caughtUp()
  }
}
