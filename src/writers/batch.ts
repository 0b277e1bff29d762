import { Transform, type TransformCallback } from 'node:stream'
import type { DeadLetter } from '../models/dead-letter.ts'
import type { ScannedRecord } from '../models/scan/scanned-record.ts'
import type { EntryId } from '../models/stream-entry.ts'

/** An entry after decoding: what the ledger must know of it, its good records and its refused ones. */
export interface DecodedEntry<T> {
  readonly id: EntryId
  /** crc32 of the entry's fields: tells this entry from another one that bears the same id. */
  readonly crc: number
  readonly bytes: number
  readonly records: readonly (T | ScannedRecord)[]
  /** Position in the entry of each of `records`. */
  readonly recordIndexes: readonly number[]
  readonly letters: readonly DeadLetter[]
  /** What makes its records once more. Where it is not given they are kept. */
  readonly origin?: EntryOrigin<T>
}

export interface EntryOrigin<T> {
  decodeAgain(): DecodedAgain<T>
}

/** The records of an entry, all of them parsed. */
export interface DecodedAgain<T> {
  readonly records: readonly T[]
  readonly recordIndexes: readonly number[]
}

/** An entry of a batch, its good records rows already. */
export interface BatchEntry<T> extends Pick<DecodedEntry<T>, 'id' | 'crc' | 'bytes' | 'letters'> {
  readonly origin: EntryOrigin<T>
}

/** The decoded entries of one read. */
export interface DecodedChunk<T> {
  /** Whether the read covered every id between its first and last entry, as XREADGROUP `>` does. */
  readonly contiguous: boolean
  /** When it was read, in unix milliseconds. */
  readonly readAt: number
  readonly entries: readonly DecodedEntry<T>[]
}

/** An inclusive range of entry ids that one read covered. */
export interface IdRange {
  readonly first: EntryId
  readonly last: EntryId
}

/** Why a batch was cut. */
export type BatchTrigger = 'rows' | 'bytes' | 'age' | 'end'

/** The entries of one transaction. An entry is never split over two batches. */
export interface Batch<T> {
  readonly entries: readonly BatchEntry<T>[]
  readonly ranges: readonly IdRange[]
  readonly rows: number
  readonly bytes: number
  readonly oldestReadAt: number
  readonly trigger: BatchTrigger
}

export interface BatchLimits {
  readonly maxRows: number
  readonly maxBytes: number
  readonly maxAgeMs: number
}

/** Makes of a batch, while it fills, what is passed on when it is cut. */
export interface BatchForm<T, Out> {
  add(entry: DecodedEntry<T>): void
  finish(batch: Batch<T>): Out
}

interface OpenBatch<T, Out> {
  readonly form: BatchForm<T, Out>
  entries: BatchEntry<T>[]
  ranges: { first: EntryId; last: EntryId }[]
  rows: number
  bytes: number
  oldestReadAt: number
}

/** Long enough for the stages behind to take a batch before the next look. */
const HURRIED_AGE_MS = 10

/**
 * Chunks in, batches out, in the form that was asked for: cut when `maxRows` or `maxBytes` is reached, when the oldest entry has waited `maxAgeMs`, at the end.
 *
 * States: *empty* (no timer) → first entry → *open* (timer runs) → cut → empty. The age timer cuts only while the stages behind
 * have room; while they are busy the batch goes on filling up to its limits, and then `transform` holds its callback.
 */
export class Batcher<T, Out> extends Transform {
  readonly #limits: BatchLimits
  readonly #createForm: () => BatchForm<T, Out>
  readonly #onCut: (batch: Batch<T>) => void
  #open: OpenBatch<T, Out> | undefined
  #maxAgeMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(
    limits: BatchLimits,
    createForm: () => BatchForm<T, Out>,
    onCut: (batch: Batch<T>) => void = () => undefined,
  ) {
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 1 })
    this.#limits = limits
    this.#maxAgeMs = limits.maxAgeMs
    this.#createForm = createForm
    this.#onCut = onCut
  }

  /** Entries and bytes that wait for their batch to be cut. */
  get waiting(): {
    readonly rows: number
    readonly bytes: number
    readonly oldestReadAt: number | undefined
  } {
    return {
      rows: this.#open?.rows ?? 0,
      bytes: this.#open?.bytes ?? 0,
      oldestReadAt: this.#open?.oldestReadAt,
    }
  }

  /** From now on nothing waits for its age. */
  hurry(): void {
    this.#maxAgeMs = HURRIED_AGE_MS
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#startTimer()
  }

  override _transform(chunk: DecodedChunk<T>, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.#addAll(chunk)
    } catch (error) {
      callback(error as Error)
      return
    }
    callback()
  }

  #addAll(chunk: DecodedChunk<T>): void {
    let startsRange = true
    for (const entry of chunk.entries) {
      const open = this.#openBatch(chunk.readAt)
      open.form.add(entry)
      open.entries.push(batchEntry(entry))
      open.rows += entry.records.length + entry.letters.length
      open.bytes += entry.bytes
      const range = open.ranges.at(-1)
      if (startsRange || !chunk.contiguous || range === undefined) {
        open.ranges.push({ first: entry.id, last: entry.id })
      } else {
        range.last = entry.id
      }
      startsRange = false
      if (open.rows >= this.#limits.maxRows) this.#cut('rows')
      else if (open.bytes >= this.#limits.maxBytes) this.#cut('bytes')
    }
  }

  override _flush(callback: TransformCallback): void {
    this.#cut('end')
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    callback(error)
  }

  #openBatch(readAt: number): OpenBatch<T, Out> {
    if (this.#open === undefined) {
      this.#open = {
        form: this.#createForm(),
        entries: [],
        ranges: [],
        rows: 0,
        bytes: 0,
        oldestReadAt: readAt,
      }
      this.#startTimer()
    }
    return this.#open
  }

  #cutByAge(): void {
    if (this.readableLength === 0) this.#cut('age')
    else this.#startTimer()
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => this.#cutByAge(), this.#maxAgeMs)
  }

  #cut(trigger: BatchTrigger): void {
    const open = this.#open
    if (open === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#open = undefined
    const { form, ...cut } = open
    const batch: Batch<T> = { ...cut, trigger }
    this.#onCut(batch)
    this.push(form.finish(batch))
  }
}

export function batchEntry<T>(entry: DecodedEntry<T>): BatchEntry<T> {
  const { id, crc, bytes, letters, origin } = entry
  return { id, crc, bytes, letters, origin: origin ?? { decodeAgain: () => entry as DecodedAgain<T> } }
}
