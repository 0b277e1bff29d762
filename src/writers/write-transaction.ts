import type pg from 'pg'
import { recordJson } from '../models/loose-record.ts'
import type { Rejection } from '../models/rejection.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { markChanged } from '../retention/rollups/changed-minutes.ts'
import type { DeadLetterPayload } from '../settings.ts'
import type { Batch } from './batch.ts'
import type { EncodedBatch, RecordRefusal } from './batch-rows.ts'
import { copyRows } from './copy.ts'
import { type AddressedLetter, insertDeadLetters } from './dead-letters.ts'
import { findRefusedRows, type RefusedRow } from './find-refused-rows.ts'
import { type ClaimOutcome, type LedgerClaim, type LedgerRow, recount } from './ledger.ts'

/** What became of a batch. Its records are in exactly one of the three counts. */
export interface BatchOutcome<T> {
  readonly batch: Batch<T>
  readonly rowsWritten: number
  readonly deadLetters: readonly AddressedLetter[]
  /** Records that the ledger says were ingested before. */
  readonly duplicates: number
  /** Entries whose ids the ledger has of another history of the stream; their records are in the counts above. */
  readonly forkedEntries: number
  readonly copyMs: number
  readonly commitMs: number
}

export interface WriteTransactionOptions {
  readonly stream: string
  readonly signal: TelemetrySignal
  readonly deadLetterPayload: DeadLetterPayload
  readonly claim: (client: pg.ClientBase, claim: LedgerClaim) => Promise<ClaimOutcome>
  readonly refusals: readonly RecordRefusal[]
  /** Whether a row was refused in the attempt before: then the refused ones are looked for. */
  readonly isolating: boolean
}

/**
 * Writes a batch in one transaction: ledger, rows, dead letters, COMMIT.
 *
 * @returns undefined, and leaves nothing behind, when the claim overlaps what was ingested before.
 * @throws the error of PostgreSQL or of the connection; the caller then closes the connection, which rolls back.
 */
export async function writeTransaction<T extends object>(
  client: pg.PoolClient,
  encoded: EncodedBatch<T>,
  options: WriteTransactionOptions,
): Promise<BatchOutcome<T> | undefined> {
  const { batch, records } = encoded
  const { stream, refusals } = options
  const letters = lettersOfBatch(encoded, refusals)
  const counts = { rowCount: records.count - refusals.length, letterCount: letters.length }
  await client.query('begin')
  const claimed = await options.claim(client, {
    stream,
    ranges: batch.ranges,
    entries: batch.entries,
    ...counts,
  })
  if (claimed.kind === 'overlap') {
    await client.query('rollback')
    return undefined
  }
  const isOurs = (entryPosition: number) => claimed.kind === 'all' || claimed.claimed.has(entryPosition)
  const skip = new Set(refusals.map(({ position }) => position))
  records.forEach((entryPosition, position) => {
    if (!isOurs(entryPosition)) skip.add(position)
  })
  const deadLetters: PositionedLetter[] = letters.filter(({ entryPosition }) => isOurs(entryPosition))
  const duplicates = batch.rows - deadLetters.length - (records.count - skip.size)

  const copyStarted = performance.now()
  deadLetters.push(...(await copyBatch(client, encoded, { skip, isolating: options.isolating })))
  const copyMs = performance.now() - copyStarted

  const rowsWritten = records.count - skip.size
  if (rowsWritten > 0) await markChanged(client, options.signal, encoded.minutes)
  await insertDeadLetters(
    client,
    { stream, signal: options.signal, payload: options.deadLetterPayload },
    deadLetters,
  )
  const asClaimed = rowsWritten === counts.rowCount && deadLetters.length === counts.letterCount
  if (claimed.kind === 'some' || !asClaimed)
    await recountRows(client, encoded, { claimed, skip, deadLetters })
  const commitStarted = performance.now()
  const { command } = await client.query('commit')
  if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`)
  const commitMs = performance.now() - commitStarted
  return { batch, rowsWritten, deadLetters, duplicates, forkedEntries: forkedOf(claimed), copyMs, commitMs }
}

function forkedOf(claimed: Exclude<ClaimOutcome, { kind: 'overlap' }>): number {
  return claimed.kind === 'all' ? 0 : [...claimed.claimed.values()].filter(({ fork }) => fork > 0).length
}

/** Sets the counts of the claimed ledger rows to what was written of the entries that each lists. */
async function recountRows<T>(
  client: pg.PoolClient,
  { batch, records }: EncodedBatch<T>,
  written: {
    readonly claimed: Exclude<ClaimOutcome, { kind: 'overlap' }>
    readonly skip: ReadonlySet<number>
    readonly deadLetters: readonly PositionedLetter[]
  },
): Promise<void> {
  const { claimed, skip, deadLetters } = written
  const rowOf = (entryPosition: number) =>
    claimed.kind === 'all' ? claimed.row : claimed.claimed.get(entryPosition)
  const counts = new Map<LedgerRow, { rowCount: number; letterCount: number }>()
  batch.entries.forEach((_, entryPosition) => {
    const row = rowOf(entryPosition)
    if (row !== undefined) counts.set(row, { rowCount: 0, letterCount: 0 })
  })
  const countOf = (entryPosition: number) => {
    const row = rowOf(entryPosition)
    return row && counts.get(row)
  }
  records.forEach((entryPosition, position) => {
    const count = countOf(entryPosition)
    if (count !== undefined && !skip.has(position)) count.rowCount += 1
  })
  for (const { entryPosition } of deadLetters) {
    const count = countOf(entryPosition)
    if (count !== undefined) count.letterCount += 1
  }
  for (const [row, count] of counts) await recount(client, row, count)
}

/**
 * Copies the rows of all records but those in `skip`. When isolating, it first finds the ones that PostgreSQL refuses: they are added to
 * `skip`, and their letters are returned.
 */
export async function copyBatch<T extends object>(
  client: pg.PoolClient,
  encoded: EncodedBatch<T>,
  { skip, isolating }: { readonly skip: Set<number>; readonly isolating: boolean },
): Promise<PositionedLetter[]> {
  const letters: PositionedLetter[] = []
  for (const { position, detail, sqlState } of isolating ? await isolate(client, encoded, skip) : []) {
    skip.add(position)
    letters.push(letterOf(encoded, position, { reason: 'refused_by_database', detail }, sqlState))
  }
  for (const copy of encoded.copies) await copyRows(client, copy, skip)
  return letters
}

/** Finds the rows that PostgreSQL refuses, of any table, and takes back what was copied to find them. */
async function isolate<T>(
  client: pg.PoolClient,
  { copies }: EncodedBatch<T>,
  skip: ReadonlySet<number>,
): Promise<RefusedRow[]> {
  const refused = new Map<number, RefusedRow>()
  await client.query('savepoint isolation')
  for (const copy of copies) {
    for (const row of await findRefusedRows(client, copy, skip)) refused.set(row.position, row)
  }
  await client.query('rollback to savepoint isolation')
  return [...refused.values()]
}

/** The letter of a record of a batch. */
export interface PositionedLetter extends AddressedLetter {
  readonly entryPosition: number
}

/** Every letter that is known before anything is copied: refused by decoding, and by what the records refer to. */
export function lettersOfBatch<T extends object>(
  encoded: EncodedBatch<T>,
  refusals: readonly RecordRefusal[],
): PositionedLetter[] {
  return [
    ...lettersOfEntries(encoded.batch),
    ...refusals.map(({ position, rejection }) => letterOf(encoded, position, rejection)),
  ]
}

function lettersOfEntries<T>(batch: Batch<T>): PositionedLetter[] {
  return batch.entries.flatMap(({ id, letters }, entryPosition) =>
    letters.map((letter) => ({ id, letter, entryPosition })),
  )
}

function letterOf<T extends object>(
  { records }: EncodedBatch<T>,
  position: number,
  rejection: Rejection,
  sqlState?: string,
): PositionedLetter {
  const { record, recordIndex, entry, entryPosition } = records.at(position)
  const payload = Buffer.from(recordJson(record))
  const letter = { ...rejection, sqlState, recordIndex, payloadForm: 'record' as const, payload }
  return { id: entry.id, letter, entryPosition }
}
