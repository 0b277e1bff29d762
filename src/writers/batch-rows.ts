import { floorDivide } from '../models/floor-divide.ts'
import type { Rejection } from '../models/rejection.ts'
import { isScanned, type ScannedRecord, timeMsOf } from '../models/scan/scanned-record.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { Batch, DecodedEntry } from './batch.ts'
import { BatchRecords } from './batch-records.ts'
import type { EncodedCopy } from './copy.ts'
import type { CopyBuffers } from './copy-buffers.ts'
import { CopyEncoder } from './copy-encoder.ts'
import type { ContentRow, InternedContent } from './interned-content.ts'
import type { CopyTarget, Referred, RowOrigin, RowsOf, TelemetryTable } from './telemetry-table.ts'

const NANOS_PER_MS = 1_000_000n
const MINUTE_MS = 60_000

/** A batch with its rows encoded: nothing is left to do but to send it, as often as it takes. */
export interface EncodedBatch<T> {
  readonly batch: Batch<T>
  readonly records: BatchRecords<T>
  /** Rows grouped by partition: PostgreSQL's COPY buffers rows by partition and flushes on every change. */
  readonly copies: readonly EncodedCopy[]
  /** All interned rows that its rows refer to, whether PostgreSQL has them or not. */
  readonly content: readonly ContentRow[]
  /** Starts (unix milliseconds) of the partitions that its rows belong to. */
  readonly partitionStarts: ReadonlySet<number>
  /** Minutes since 1970 that its rows belong to. */
  readonly minutes: ReadonlySet<number>
}

/** A record, by its position in the batch, that is refused before anything is copied. */
export interface RecordRefusal {
  readonly position: number
  readonly rejection: Rejection
}

export interface EncodeOptions<T, Refs> {
  readonly table: TelemetryTable<T, Refs>
  readonly content: InternedContent
  readonly partitions: Partitions
}

interface OpenCopy<T extends object, Refs> {
  readonly target: CopyTarget<T, Refs, ScannedRecord>
  readonly encoder: CopyEncoder
  readonly positions: number[]
}

/**
 * The rows of a batch while it fills. Each entry is encoded as it comes, and its records are let go: kept until the batch is cut, every one of them would
 * be copied by the garbage collector, twice.
 */
export class BatchRows<T extends object, Refs> {
  readonly #options: EncodeOptions<T, Refs>
  readonly #records = new BatchRecords<T>()
  readonly #copies: readonly OpenCopy<T, Refs>[]
  readonly #content = new Set<ContentRow>()
  /** Of the partition of each record. */
  readonly #starts: number[] = []
  readonly #minutes = new Set<number>()
  #lastMinute = Number.NaN

  /** @param buffers each for the rows of one table. */
  constructor(options: EncodeOptions<T, Refs>, buffers: CopyBuffers) {
    this.#options = options
    this.#copies = options.table.targets.map((target) => ({
      target,
      encoder: new CopyEncoder(buffers),
      positions: [],
    }))
  }

  add(entry: DecodedEntry<T>): void {
    const { table, content } = this.#options
    const { records, recordIndexes } = entry
    const entryPosition = this.#records.startEntry()
    for (let index = 0; index < records.length; index += 1) {
      const record = records[index] as T | ScannedRecord
      const recordIndex = recordIndexes[index] ?? index
      const origin = { id: entry.id, recordIndex }
      const position = this.#records.add(entryPosition, recordIndex)
      if (isScanned(record)) {
        this.#addTime(timeMsOf(record))
        const row = { refs: this.#refer(table.referScanned(record, content)), origin }
        for (const copy of this.#copies) this.#encode(copy, copy.target.scanned, { record, position, row })
      } else {
        this.#addTime(Number(floorDivide(table.time(record), NANOS_PER_MS)))
        const row = { refs: this.#refer(table.refer(record, content)), origin }
        for (const copy of this.#copies) this.#encode(copy, copy.target.parsed, { record, position, row })
      }
    }
  }

  #addTime(unixMs: number): void {
    this.#starts.push(this.#options.partitions.startOf(unixMs))
    const minute = Math.floor(unixMs / MINUTE_MS)
    if (minute === this.#lastMinute) return
    this.#minutes.add(minute)
    this.#lastMinute = minute
  }

  #refer({ refs, rows }: Referred<Refs>): Refs {
    for (const row of rows) this.#content.add(row)
    return refs
  }

  #encode<R>(
    { target, encoder, positions }: OpenCopy<T, Refs>,
    rows: RowsOf<R, Refs>,
    { record, position, row }: { record: R; position: number; row: { refs: Refs; origin: RowOrigin } },
  ): void {
    const count = rows.count(record)
    for (let index = 0; index < count; index += 1) {
      positions.push(position)
      encoder.startRow(target.columns.length)
      rows.encode(encoder, record, row, index)
    }
  }

  /** The batch that these are the rows of. Nothing may be added after it. */
  finish(batch: Batch<T>): EncodedBatch<T> {
    const partitionStarts = new Set(this.#starts)
    const copies = this.#copies.map(({ target, encoder, positions }) => ({
      table: target.table,
      columns: target.columns,
      encoder,
      positions,
    }))
    this.#records.close(batch.entries)
    return {
      batch,
      records: this.#records,
      copies: partitionStarts.size > 1 ? copies.map((copy) => this.#byPartition(copy)) : copies,
      // By id: content too long to be remembered is made anew for each record.
      content: [...new Map([...this.#content].map((row) => [row.id, row])).values()],
      partitionStarts,
      minutes: this.#minutes,
    }
  }

  #byPartition(copy: EncodedCopy): EncodedCopy {
    const rowsByStart = new Map<number, number[]>()
    copy.positions.forEach((position, row) => {
      const start = this.#starts[position] ?? 0
      const rows = rowsByStart.get(start)
      if (rows === undefined) rowsByStart.set(start, [row])
      else rows.push(row)
    })
    const order = [...rowsByStart.values()].flat()
    const encoder = copy.encoder.inOrder(order)
    copy.encoder.release()
    return {
      ...copy,
      encoder,
      positions: order.map((row) => copy.positions[row] ?? -1),
    }
  }
}

/** Gives the memory of its rows back, when PostgreSQL has read all of them and none is sent again. */
export function releaseRows({ copies }: EncodedBatch<unknown>): void {
  for (const { encoder } of copies) encoder.release()
}

/** The records whose series (or resource, scope, metric) was refused: `refusedContent` has the reason of each such id. */
export function refusedByContent<T>(
  { records }: EncodedBatch<T>,
  { table, content }: Pick<EncodeOptions<T, unknown>, 'table' | 'content'>,
  refusedContent: ReadonlyMap<bigint, Rejection>,
): RecordRefusal[] {
  if (refusedContent.size === 0) return []
  const refusals: RecordRefusal[] = []
  records.decodeAll((record, position) => {
    const row = table.refer(record, content).rows.find(({ id }) => refusedContent.has(id))
    const rejection = row && refusedContent.get(row.id)
    if (rejection !== undefined) refusals.push({ position, rejection })
  })
  return refusals
}
