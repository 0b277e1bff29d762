import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { classifyWriteFailure, messageOf, sqlStateOf } from '../errors.ts'
import { COPY_HEADER, COPY_TRAILER, type CopyEncoder } from './copy-encoder.ts'

/** Encoded rows bound for one table; `positions[row]` is the record of the batch that the row is of. */
export interface EncodedCopy {
  readonly copySql: string
  readonly encoder: CopyEncoder
  readonly positions: readonly number[]
}

/** A row that PostgreSQL refused: the record it is of, and why. */
export interface RefusedRow {
  readonly position: number
  readonly sqlState: string
  readonly detail: string
}

/** A chunk is two writes on the socket (pg-copy-streams): large enough that it does not matter, small enough to push back. */
const CHUNK_BYTES = 128 * 1024
/** While looking for refused rows, a failing COPY sends at most this many. */
const ISOLATION_ROWS = 500

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

/**
 * Finds the rows that PostgreSQL refuses, by copying all but those of `skip`; the caller takes back what was copied.
 *
 * The rows go in pieces under a savepoint each. Where a piece fails, the error's context names the row ("COPY spans, line 17"): those
 * before it and those after it are pieces of their own; where it does not, the piece is halved. So k refused rows
 * of n cost about n / 500 + 2k short COPYs.
 */
export async function findRefusedRows(
  client: pg.ClientBase,
  copy: EncodedCopy,
  skip: ReadonlySet<number>,
): Promise<RefusedRow[]> {
  const refused: RefusedRow[] = []
  const pieces: Run[] = runsWithout(copy, skip, 0, copy.positions.length).flatMap(inPieces).reverse()
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const failure = await tryPiece(client, copy, piece)
    if (failure === undefined) continue
    if (piece.to - piece.from === 1) {
      refused.push({
        position: copy.positions[piece.from] ?? -1,
        sqlState: sqlStateOf(failure) ?? '',
        detail: messageOf(failure),
      })
      continue
    }
    pieces.push(...splitAt(piece, failedLine(failure)).reverse())
  }
  return refused
}

interface Run {
  readonly from: number
  readonly to: number
}

async function tryPiece(client: pg.ClientBase, copy: EncodedCopy, piece: Run): Promise<unknown> {
  await client.query('savepoint piece')
  try {
    await copyRuns(client, copy, [piece])
  } catch (error) {
    if (classifyWriteFailure(error) !== 'data') throw error
    await client.query('rollback to savepoint piece')
    return error
  }
  await client.query('release savepoint piece')
  return undefined
}

async function copyRuns(client: pg.ClientBase, copy: EncodedCopy, runs: readonly Run[]): Promise<number> {
  const sink = client.query(copyFrom(copy.copySql, { highWaterMark: CHUNK_BYTES }))
  await pipeline(Readable.from(chunks(copy.encoder, runs), { objectMode: true, highWaterMark: 1 }), sink)
  const expected = runs.reduce((rows, { from, to }) => rows + to - from, 0)
  if (sink.rowCount !== expected) {
    throw new RangeError(`COPY took ${sink.rowCount} rows of ${expected}: ${copy.copySql}`)
  }
  return expected
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
function runsWithout(copy: EncodedCopy, skip: ReadonlySet<number>, from: number, to: number): Run[] {
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

function inPieces({ from, to }: Run): Run[] {
  const pieces: Run[] = []
  for (let start = from; start < to; start += ISOLATION_ROWS) {
    pieces.push({ from: start, to: Math.min(to, start + ISOLATION_ROWS) })
  }
  return pieces
}

function splitAt({ from, to }: Run, line: number | undefined): Run[] {
  const named = line === undefined ? -1 : from + line - 1
  const cuts =
    named >= from && named < to ? [from, named, named + 1, to] : [from, from + Math.ceil((to - from) / 2), to]
  return cuts
    .slice(1)
    .map((end, index) => ({ from: cuts[index] ?? from, to: end }))
    .filter((run) => run.from < run.to)
}

/** The line in "COPY spans, line 17, column name", whatever the server's language: the number after the second word. */
function failedLine(error: unknown): number | undefined {
  const where = (error as { where?: unknown }).where
  const match = typeof where === 'string' ? /COPY [^,]+, \S+ (\d+)/.exec(where) : null
  return match === null ? undefined : Number(match[1])
}
