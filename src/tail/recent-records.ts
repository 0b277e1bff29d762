import type { StreamEntry } from '../ingest/stream-entries.ts'
import { type EntryId, isBefore } from '../models/stream-entry.ts'
import type { RecordReader } from './record-reader.ts'
import { comesBefore, type TailId } from './tail-id.ts'
import type { TailEntry, TailRecord } from './tail-record.ts'

interface RecentEntry<T> {
  readonly entry: StreamEntry
  decoded: TailEntry<T> | undefined
}

const MAX_BYTES = 16 * 1024 * 1024
const MAX_ENTRIES = 20_000
/** The forgotten ones are cut off when there are so many. */
const CUT_AT = 4096

/**
 * The entries that a tail has read last, without a gap up to where it is: who comes back after a moment need not have them read again. The oldest are forgotten.
 *
 * They are kept as they came: decoded, all of them would be copied by the garbage collector again and again. What somebody asked for stays decoded, for a thousand may ask at once.
 */
export class RecentRecords<T> {
  readonly #reader: RecordReader<T>
  #entries: RecentEntry<T>[] = []
  #first = 0
  #bytes = 0
  #since: EntryId

  /** @param since nothing after this entry is missing. */
  constructor(since: EntryId, reader: RecordReader<T>) {
    this.#since = since
    this.#reader = reader
  }

  /** Every entry after this one is here. */
  get since(): EntryId {
    return this.#since
  }

  add(entry: StreamEntry): void {
    this.#entries.push({ entry, decoded: undefined })
    this.#bytes += entry.bytes
    while (this.#bytes > MAX_BYTES || this.#entries.length - this.#first > MAX_ENTRIES) this.#forgetFirst()
    if (this.#first < CUT_AT) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }

  #forgetFirst(): void {
    const forgotten = this.#entries[this.#first]
    if (forgotten === undefined) return
    this.#first += 1
    this.#bytes -= forgotten.entry.bytes
    this.#since = forgotten.entry.id
  }

  /** The records after this one, the oldest first; undefined where some of them are forgotten. */
  after(id: TailId): readonly TailRecord<T>[] | undefined {
    // Of the entry itself, too, there may be more.
    if (!isBefore(this.#since, id.entry)) return undefined
    let at = this.#entries.length
    while (at > this.#first && !isBefore(this.#entries[at - 1]?.entry.id ?? id.entry, id.entry)) at -= 1
    return this.#entries
      .slice(at)
      .flatMap((entry) => this.#recordsOf(entry))
      .filter((record) => comesBefore(id, record))
  }

  /** All records, the newest first. */
  *backwards(): Generator<TailRecord<T>> {
    const entries = this.#entries
    const first = this.#first
    for (let at = entries.length - 1; at >= first; at -= 1) {
      const entry = entries[at]
      if (entry !== undefined) yield* this.#recordsOf(entry).toReversed()
    }
  }

  #recordsOf(recent: RecentEntry<T>): readonly TailRecord<T>[] {
    recent.decoded ??= this.#reader.read([recent.entry])[0]
    return recent.decoded?.records ?? []
  }
}
