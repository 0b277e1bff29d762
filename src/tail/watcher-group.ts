import type { TailRecord } from './tail-record.ts'
import { type WaitingRecords, Watcher } from './watcher.ts'

/** What a watcher is shown of a stream. */
export interface Selection<T> {
  /** The same for whoever is shown the same: they are matched together, and take from the same records. */
  readonly key: string
  /** Records of other services cannot match. */
  readonly service: string | undefined
  readonly matches: (record: TailRecord<T>) => boolean
}

/** Records that wait, at most, and their JSON together: past that the oldest quarter is let go. */
const MAX_RECORDS = 5000
const MAX_BYTES = 4 * 1024 * 1024
/** So many are looked through for what all have taken, the first time. */
const TRIM_AT = 256

/** Records from one place up to before another. */
interface Taken<T> {
  readonly from: number
  readonly to: number
  readonly records: readonly TailRecord<T>[]
}

/**
 * Those who ask one thing, and the records that wait for them: kept once, whatever their number, each of them having a place in it.
 */
export class WatcherGroup<T> implements WaitingRecords<T> {
  readonly selection: Selection<T>
  readonly #watchers = new Set<Watcher<T>>()
  #records: TailRecord<T>[] = []
  #bytes = 0
  #first = 0
  /** Watchers who have not taken all there is. */
  #behind = 0
  #trimAt = TRIM_AT
  #isListed = false
  #taken: Taken<T> | undefined

  constructor(selection: Selection<T>) {
    this.selection = selection
  }

  get size(): number {
    return this.#watchers.size
  }

  get first(): number {
    return this.#first
  }

  get end(): number {
    return this.#first + this.#records.length
  }

  /** @returns a watcher who is given all that comes from now on. */
  join(): Watcher<T> {
    const watcher = new Watcher<T>(this)
    this.#watchers.add(watcher)
    this.#isListed = false
    return watcher
  }

  leave(watcher: Watcher<T>): void {
    this.#watchers.delete(watcher)
    if (watcher.place < this.end) this.caughtUp()
  }

  /** @param ready takes all of the group: they have something. */
  give(record: TailRecord<T>, ready: Set<Watcher<T>>): void {
    const bytes = record.json.length
    if (this.#records.length >= this.#trimAt) this.#trim()
    while (this.#isFull(bytes)) this.#forget(Math.ceil(this.#records.length / 4))
    this.#records.push(record)
    this.#bytes += bytes
    this.#behind = this.#watchers.size
    if (this.#isListed) return
    this.#isListed = true
    for (const watcher of this.#watchers) ready.add(watcher)
  }

  /** @param bytes of what is to be added; by itself it is never too much. */
  #isFull(bytes: number): boolean {
    const { length } = this.#records
    return length >= MAX_RECORDS || (length > 0 && this.#bytes + bytes > MAX_BYTES)
  }

  woken(): void {
    this.#isListed = false
  }

  caughtUp(): void {
    this.#behind -= 1
    if (this.#behind > 0) return
    this.#forget(this.#records.length)
    this.#taken = undefined
  }

  /** What all have taken is let go, though more came before they had all of it. */
  #trim(): void {
    let place = this.end
    for (const watcher of this.#watchers) place = Math.min(place, watcher.place)
    if (place > this.#first) this.#forget(place - this.#first)
    this.#trimAt = Math.max(TRIM_AT, 2 * this.#records.length)
  }

  #forget(count: number): void {
    for (let index = 0; index < count; index += 1) this.#bytes -= this.#records[index]?.json.length ?? 0
    this.#records = this.#records.slice(count)
    this.#first += count
  }

  between(from: number, to: number, maxBytes: number): readonly TailRecord<T>[] {
    if (this.#taken?.from !== from || this.#taken.to !== to)
      this.#taken = { from, to, records: this.#slice(from, to, maxBytes) }
    return this.#taken.records
  }

  #slice(from: number, to: number, maxBytes: number): readonly TailRecord<T>[] {
    let at = from - this.#first
    for (let bytes = 0; at < to - this.#first && bytes < maxBytes; at += 1)
      bytes += this.#records[at]?.json.length ?? 0
    return this.#records.slice(from - this.#first, at)
  }
}
