import type { Redis } from 'ioredis'
import { type EntryId, formatEntryId, isBefore } from '../models/stream-entry.ts'
import { readBackwards, readForwards } from './read-range.ts'
import type { RecentRecords } from './recent-records.ts'
import type { RecordReader } from './record-reader.ts'
import type { StoredRecord, StoredRecords, TailFilter } from './stored-records.ts'
import { lookAtStream } from './stream-look.ts'
import type { Gap, GapReason, TailEvent } from './tail-event.ts'
import { comesBefore, type TailId } from './tail-id.ts'
import type { TailRecord } from './tail-record.ts'

export interface PastRecordsOptions<T> {
  readonly stream: string
  readonly redis: Redis
  readonly reader: RecordReader<T>
  /** Without it there is only what the stream still has. */
  readonly stored: StoredRecords | undefined
  readonly onError: (error: unknown) => void
}

/** What is shown of the past: the same in whatever it is looked for. */
export interface PastSelection<T> {
  readonly filter: TailFilter
  readonly matches: (record: TailRecord<T>) => boolean
  /** Whether a record of PostgreSQL that matches is in the sample. */
  readonly isSampled: (record: StoredRecord) => boolean
}

export interface PastSpan<T> {
  readonly recent: RecentRecords<T>
  /** The last entry of the past, inclusive. */
  readonly upTo: EntryId
}

type PastRecord<T> = TailRecord<T> | StoredRecord

/** Entries of the stream that are looked through for a history, at most: what is rarer is looked for in PostgreSQL. */
const MOST_LOOKED_THROUGH = 20_000

/**
 * Reads what came before a tail became live: what was read last is at hand, what is still in the stream is read from Redis, and the rest from PostgreSQL. Where a part cannot be had, a gap says so.
 */
export class PastRecords<T> {
  readonly #options: PastRecordsOptions<T>

  constructor(options: PastRecordsOptions<T>) {
    this.#options = options
  }

  /** All that match and came after a record, the oldest first. */
  async *after(
    id: TailId,
    selection: PastSelection<T>,
    { recent, upTo }: PastSpan<T>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly TailEvent[]> {
    const known = recent.after(id)
    if (known !== undefined) {
      yield known.filter((record) => !isBefore(upTo, record.entry) && selection.matches(record))
      return
    }
    const { redis, stream, reader } = this.#options
    let last = id
    const { firstId } = await lookAtStream(redis, stream)
    const first = firstId ?? { ms: upTo.ms, seq: upTo.seq + 1n }
    if (isBefore(id.entry, first)) {
      yield await this.#storedBetween(id, first, selection, signal)
      last = { entry: first, index: -1 }
    }
    for await (const entries of readForwards(redis, stream, { from: last.entry, to: upTo })) {
      signal.throwIfAborted()
      const records = reader.read(entries).flatMap((entry) => entry.records)
      yield records.filter((record) => comesBefore(last, record) && selection.matches(record))
    }
  }

  async #storedBetween(
    after: TailId,
    before: EntryId,
    { filter, isSampled }: PastSelection<T>,
    signal: AbortSignal,
  ): Promise<readonly TailEvent[]> {
    const gap = (reason: GapReason, entries: number | null): Gap => ({
      kind: 'gap',
      from: formatEntryId(after.entry),
      to: formatEntryId(before),
      entries,
      reason,
    })
    const { stored, onError } = this.#options
    if (stored === undefined) return [gap('trimmed', null)]
    try {
      const found = await stored.between(filter, { after, before }, signal)
      return found.records?.filter(isSampled) ?? [gap('too_many', found.entries ?? null)]
    } catch (error) {
      signal.throwIfAborted()
      onError(error)
      return [gap('unavailable', null)]
    }
  }

  /** The last records that match, at most `count`, in the order in which they came. */
  async last(
    count: number,
    selection: PastSelection<T>,
    { recent, upTo }: PastSpan<T>,
    signal: AbortSignal,
  ): Promise<readonly TailEvent[]> {
    const found: PastRecord<T>[] = []
    if (count === 0) return found
    for (const record of recent.backwards()) {
      if (isBefore(upTo, record.entry) || !selection.matches(record)) continue
      if (found.push(record) === count) return found.reverse()
    }
    const lookedAt = await this.#lastOfStream(found, count, { recent, selection }, signal)
    if (lookedAt === undefined || found.length === count) return found.reverse()
    const older = await this.#lastStored(count - found.length, lookedAt, selection, signal)
    return [...older, ...found.reverse()]
  }

  /** @returns the oldest entry that was looked at; undefined where there was never one before. */
  async #lastOfStream(
    found: PastRecord<T>[],
    count: number,
    { recent, selection }: { readonly recent: RecentRecords<T>; readonly selection: PastSelection<T> },
    signal: AbortSignal,
  ): Promise<EntryId | undefined> {
    const { redis, stream, reader } = this.#options
    let oldest: EntryId = { ms: recent.since.ms, seq: recent.since.seq + 1n }
    let looked = 0
    for await (const entries of readBackwards(redis, stream, recent.since)) {
      signal.throwIfAborted()
      for (const { id, records } of reader.read(entries)) {
        oldest = id
        for (const record of records.toReversed()) {
          if (!selection.matches(record)) continue
          if (found.push(record) === count) return oldest
        }
      }
      looked += entries.length
      if (looked >= MOST_LOOKED_THROUGH) return oldest
    }
    const { added, length } = await lookAtStream(redis, stream)
    return added === length ? undefined : oldest
  }

  async #lastStored(
    count: number,
    before: EntryId,
    { filter, isSampled }: PastSelection<T>,
    signal: AbortSignal,
  ): Promise<readonly TailEvent[]> {
    const { stored, onError } = this.#options
    if (stored === undefined) return []
    try {
      const found = await stored.last(filter, { count, before }, signal)
      return found.filter(isSampled)
    } catch (error) {
      signal.throwIfAborted()
      onError(error)
      const [from, to] = ['0-0', formatEntryId(before)]
      return [{ kind: 'gap', from, to, entries: null, reason: 'unavailable' }]
    }
  }
}
