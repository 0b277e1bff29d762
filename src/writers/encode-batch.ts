import { Transform, type TransformCallback } from 'node:stream'
import type { Rejection } from '../models/rejection.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { Batch, DecodedEntry } from './batch.ts'
import type { EncodedCopy } from './copy.ts'
import { CopyEncoder } from './copy-encoder.ts'
import type { ContentRow, InternedContent } from './interned-content.ts'
import type { TelemetryTable } from './telemetry-table.ts'

/** A record of a batch, and the entry it is of. Its position in the batch names it from here on. */
export interface BatchRecord<T> {
  readonly record: T
  readonly entry: DecodedEntry<T>
  readonly entryPosition: number
  readonly recordIndex: number
}

/** A batch with its rows encoded: nothing is left to do but to send it, as often as it takes. */
export interface EncodedBatch<T> {
  readonly batch: Batch<T>
  readonly records: readonly BatchRecord<T>[]
  readonly copies: readonly EncodedCopy[]
  /** All interned rows that its rows refer to, whether PostgreSQL has them or not. */
  readonly content: readonly ContentRow[]
  /** Starts (unix milliseconds) of the partitions that its rows belong to. */
  readonly partitionStarts: ReadonlySet<number>
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

/** The Transform from batches to encoded batches. */
export function createBatchEncoder<T, Refs>(options: EncodeOptions<T, Refs>): Transform {
  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(batch: Batch<T>, _encoding, callback: TransformCallback) {
      try {
        callback(null, encodeBatch(batch, options))
      } catch (error) {
        callback(error as Error)
      }
    },
  })
}

/** Encodes a batch, its rows grouped by partition: PostgreSQL's COPY buffers rows by partition and flushes on every change. */
export function encodeBatch<T, Refs>(
  batch: Batch<T>,
  { table, content, partitions }: EncodeOptions<T, Refs>,
): EncodedBatch<T> {
  const { records, partitionStarts } = recordsByPartition(batch, (record) =>
    partitions.startOf(table.time(record)),
  )
  // By id: content too long to be remembered is made anew for each record.
  const used = new Map<bigint, ContentRow>()
  const copies = table.targets.map((target) => ({
    target,
    encoder: new CopyEncoder(batch.bytes),
    positions: [] as number[],
  }))
  records.forEach(({ record, entry, recordIndex }, position) => {
    const { refs, rows } = table.refer(record, content)
    for (const row of rows) used.set(row.id, row)
    for (const { target, encoder, positions } of copies) {
      if (!target.has(record)) continue
      positions.push(position)
      encoder.startRow(target.columns.length)
      target.encode(encoder, record, { refs, origin: { id: entry.id, recordIndex } })
    }
  })
  return {
    batch,
    records,
    copies: copies.map(({ target, encoder, positions }) => ({
      table: target.table,
      columns: target.columns,
      encoder,
      positions,
    })),
    content: [...used.values()],
    partitionStarts,
  }
}

function recordsByPartition<T>(
  batch: Batch<T>,
  startOf: (record: T) => number,
): { records: readonly BatchRecord<T>[]; partitionStarts: ReadonlySet<number> } {
  const byStart = new Map<number, BatchRecord<T>[]>()
  batch.entries.forEach((entry, entryPosition) => {
    entry.records.forEach((record, index) => {
      const start = startOf(record)
      let group = byStart.get(start)
      if (group === undefined) {
        group = []
        byStart.set(start, group)
      }
      group.push({ record, entry, entryPosition, recordIndex: entry.recordIndexes[index] ?? index })
    })
  })
  const groups = [...byStart.values()]
  return {
    records: groups.length === 1 ? (groups[0] ?? []) : groups.flat(),
    partitionStarts: new Set(byStart.keys()),
  }
}

/** The records whose series (or resource, scope, metric) was refused: `refusedContent` has the reason of each such id. */
export function refusedByContent<T>(
  { records }: EncodedBatch<T>,
  { table, content }: Pick<EncodeOptions<T, unknown>, 'table' | 'content'>,
  refusedContent: ReadonlyMap<bigint, Rejection>,
): RecordRefusal[] {
  if (refusedContent.size === 0) return []
  return records.flatMap(({ record }, position) => {
    const row = table.refer(record, content).rows.find(({ id }) => refusedContent.has(id))
    const rejection = row && refusedContent.get(row.id)
    return rejection === undefined ? [] : [{ position, rejection }]
  })
}
