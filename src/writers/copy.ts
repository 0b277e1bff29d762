import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { COPY_HEADER, COPY_TRAILER, type CopyEncoder } from './copy-encoder.ts'

/** Encoded rows bound for one table; `positions[row]` is the record of the batch that the row is of. */
export interface EncodedCopy {
  readonly table: string
  /** The fields of a row, in order; all of the table's when there are none. */
  readonly columns: readonly string[]
  readonly encoder: CopyEncoder
  readonly positions: readonly number[]
}

/**
 * A chunk is two writes on the socket (pg-copy-streams), and the next one is written in a later turn of the event loop, each of which may take some milliseconds while
 * records are decoded: few chunks a batch, small enough to push back.
 */
const CHUNK_BYTES = 512 * 1024

/**
 * Copies all rows but those of the records in `skip`, in one COPY.
 *
 * @throws the server's error; the transaction is then aborted.
 */
export async function copyRows(
  client: pg.ClientBase,
  copy: EncodedCopy,
  skip: ReadonlySet<number>,
): Promise<number> {
  const runs = runsWithout(copy, skip, 0, copy.positions.length)
  return runs.length === 0 ? 0 : copyRuns(client, copy, runs)
}

/** Rows of a copy, from the first to before the last. */
export interface Run {
  readonly from: number
  readonly to: number
}

/** Copies runs of rows in one COPY. @throws as {@link copyRows}. */
export async function copyRuns(
  client: pg.ClientBase,
  copy: EncodedCopy,
  runs: readonly Run[],
): Promise<number> {
  const sink = client.query(copyFrom(copySql(copy), { highWaterMark: CHUNK_BYTES }))
  await pipeline(Readable.from(chunks(copy.encoder, runs), { objectMode: true, highWaterMark: 1 }), sink)
  const expected = runs.reduce((rows, { from, to }) => rows + to - from, 0)
  if (sink.rowCount !== expected) {
    throw new RangeError(`COPY took ${sink.rowCount} rows of ${expected}: ${copySql(copy)}`)
  }
  return expected
}

function copySql({ table, columns }: EncodedCopy): string {
  return `copy ${table} ${columnList(columns)} from stdin (format binary)`
}

/** `(a, b)`; nothing for all columns. */
export function columnList(columns: readonly string[]): string {
  return columns.length === 0 ? '' : `(${columns.join(', ')})`
}

function* chunks(encoder: CopyEncoder, runs: readonly Run[]): Generator<Buffer> {
  yield COPY_HEADER
  for (const { from, to } of runs) {
    const rows = encoder.slice(from, to)
    for (let offset = 0; offset < rows.length; offset += CHUNK_BYTES) {
      yield rows.subarray(offset, offset + CHUNK_BYTES)
    }
  }
  yield COPY_TRAILER
}

/** The rows from `from` to `to` as runs that leave out the records in `skip`. */
export function runsWithout(copy: EncodedCopy, skip: ReadonlySet<number>, from: number, to: number): Run[] {
  if (skip.size === 0) return from < to ? [{ from, to }] : []
  const runs: Run[] = []
  let start = from
  for (let row = from; row < to; row += 1) {
    if (!skip.has(copy.positions[row] ?? -1)) continue
    if (start < row) runs.push({ from: start, to: row })
    start = row + 1
  }
  if (start < to) runs.push({ from: start, to })
  return runs
}
