import type { Readable } from 'node:stream'
import type pg from 'pg'
import type { EntryId } from '../models/stream-entry.ts'
import { countEntries } from '../repositories/count-entries.ts'
import type { RecordFilter } from '../repositories/filter.ts'
import { type PageRow, pageRecords } from '../repositories/page-records.ts'
import type { RecordSource } from '../repositories/record-source.ts'
import type { RecordEvent } from './tail-event.ts'
import { comesBefore, formatTailId, type TailId } from './tail-id.ts'

/** Conditions of a tail: it has no end. */
export type TailFilter = Omit<RecordFilter, 'to' | 'order' | 'after' | 'limit'>

/** A record of PostgreSQL as a tail tells it. */
export interface StoredRecord extends RecordEvent, TailId {}

export type Found =
  | { readonly records: readonly StoredRecord[]; readonly entries?: undefined }
  | { readonly records?: undefined; readonly entries: number }

const NANOS_PER_MS = 1_000_000n
const DAY_MS = 86_400_000n
/** Records that are read of those who came back late, at most: all of them are held and sorted. */
const MOST_RECORDS = 10_000

/** What is no longer in the stream is in PostgreSQL. */
export class StoredRecords {
  readonly #pool: pg.Pool
  readonly #source: RecordSource

  constructor(pool: pg.Pool, source: RecordSource) {
    this.#pool = pool
    this.#source = source
  }

  /** The newest records that match, by their time, that came before an entry; the order is that of their entries, the oldest first. */
  async last(
    filter: TailFilter,
    { count, before }: { readonly count: number; readonly before: EntryId },
    signal: AbortSignal,
  ): Promise<readonly StoredRecord[]> {
    const rows = await this.#read({ ...filter, cameBefore: placeOf(before), limit: count }, signal)
    return rows.slice(0, count).sort(byEntry)
  }

  /**
   * The records that match and came between a record and an entry, in the order of their entries. Looked for among those whose time is at most a day off from when they came.
   *
   * @returns where they are too many, of how many entries they are.
   */
  async between(
    filter: TailFilter,
    { after, before }: { readonly after: TailId; readonly before: EntryId },
    signal: AbortSignal,
  ): Promise<Found> {
    const near = (after.entry.ms - DAY_MS) * NANOS_PER_MS
    const from = filter.from === undefined || filter.from < near ? near : filter.from
    const within = {
      ...filter,
      from: from < 0n ? 0n : from,
      to: (before.ms + DAY_MS) * NANOS_PER_MS,
      cameAfter: { ...placeOf(after.entry), recordIndex: after.index },
      cameBefore: placeOf(before),
    }
    const rows = await this.#read({ ...within, limit: MOST_RECORDS }, signal)
    if (rows.length <= MOST_RECORDS) return { records: rows.sort(byEntry) }
    return { entries: await countEntries(this.#pool, this.#source, within, signal) }
  }

  async #read(
    filter: RecordFilter & { readonly limit: number },
    signal: AbortSignal,
  ): Promise<StoredRecord[]> {
    const rows: Readable = await pageRecords(this.#pool, this.#source, filter, signal)
    const records: StoredRecord[] = []
    for await (const [json, , entryMs, entrySeq, index] of rows as AsyncIterable<PageRow>) {
      const entry = { ms: BigInt(entryMs), seq: BigInt(entrySeq) }
      records.push({
        kind: 'record',
        id: formatTailId({ entry, index }),
        entry,
        index,
        json: Buffer.from(json),
      })
    }
    return records
  }
}

function placeOf({ ms, seq }: EntryId) {
  return { entryMs: String(ms), entrySeq: String(seq) }
}

function byEntry(a: TailId, b: TailId): number {
  return comesBefore(a, b) ? -1 : 1
}
