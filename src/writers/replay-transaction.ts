import type pg from 'pg'
import type { Rejection } from '../models/rejection.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { markChanged } from '../retention/rollups/changed-minutes.ts'
import type { EncodedBatch, RecordRefusal } from './batch-rows.ts'
import { insertReplayedLetters } from './dead-letters.ts'
import { copyBatch, lettersOfBatch, type PositionedLetter } from './write-transaction.ts'

/** A letter that stays as it is, and why now. */
export interface RefusedLetter extends Rejection {
  readonly letterId: string
}

/** What became of a batch of letters. Each is in exactly one of: replayed, refused, taken. */
export interface ReplayOutcome {
  /** Letters whose records are rows now, as far as they were good. */
  readonly replayed: number
  readonly rows: number
  /** Records of whole entries that were refused: each has a letter of its own now. */
  readonly lettersAdded: number
  readonly refused: readonly RefusedLetter[]
  /** Letters that another replay has, or has had, or that were purged meanwhile. */
  readonly taken: number
}

export interface ReplayTransactionOptions {
  readonly signal: TelemetrySignal
  /** The letter that each entry of the batch was decoded from, by position. */
  readonly letterIds: readonly string[]
  readonly refusals: readonly RecordRefusal[]
  /** Whether a row was refused in the attempt before: then the refused ones are looked for. */
  readonly isolating: boolean
  /** Told once before COMMIT: what the transaction is called, and what it comes to if it commits. */
  readonly onCommit: (transactionId: string, outcome: ReplayOutcome) => void
}

/**
 * Makes rows of dead letters in one transaction: locks those that are still to be replayed, copies their rows, marks them, COMMIT.
 *
 * The invariant: `replayed_at` is set in the transaction that writes the rows, and only rows of letters whose `replayed_at` it found empty under
 * the row's lock are written. So whatever is repeated, or runs at the same time, finds the letter locked or marked.
 *
 * @throws the error of PostgreSQL or of the connection; the caller then closes the connection, which rolls back.
 */
export async function replayTransaction<T extends object>(
  client: pg.PoolClient,
  encoded: EncodedBatch<T>,
  { signal, letterIds, refusals, isolating, onCommit }: ReplayTransactionOptions,
): Promise<ReplayOutcome> {
  await client.query('begin')
  const { ours, transactionId } = await lockLetters(client, letterIds)
  const isOurs = (entryPosition: number) => ours.has(letterIds[entryPosition] ?? '')
  const skip = new Set(refusals.map(({ position }) => position))
  encoded.records.forEach((entryPosition, position) => {
    if (!isOurs(entryPosition)) skip.add(position)
  })
  const letters = lettersOfBatch(encoded, refusals).filter(({ entryPosition }) => isOurs(entryPosition))
  letters.push(...(await copyBatch(client, encoded, { skip, isolating })))

  const { replayed, added, outcome } = settleLetters(letterIds, {
    isOurs,
    rowsOf: countRows(encoded, skip),
    refusedOf: groupByEntry(letters),
  })
  if (outcome.rows > 0) await markChanged(client, signal, encoded.minutes)
  await insertReplayedLetters(
    client,
    added.map(({ entryPosition, letter }) => ({ replayOf: letterIds[entryPosition] ?? '', letter })),
  )
  await markReplayed(client, replayed)
  onCommit(transactionId, outcome)
  const { command } = await client.query('commit')
  if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`)
  return outcome
}

interface SettledLetters {
  readonly replayed: readonly { readonly letterId: string; readonly rows: number }[]
  readonly added: readonly PositionedLetter[]
  readonly outcome: ReplayOutcome
}

/** A letter of which no record was good stays; any other is replayed, and what was refused of it is told by letters of its own. */
function settleLetters(
  letterIds: readonly string[],
  written: {
    readonly isOurs: (entryPosition: number) => boolean
    readonly rowsOf: ReadonlyMap<number, number>
    readonly refusedOf: ReadonlyMap<number, readonly PositionedLetter[]>
  },
): SettledLetters {
  const replayed: { letterId: string; rows: number }[] = []
  const added: PositionedLetter[] = []
  const stayed: RefusedLetter[] = []
  letterIds.forEach((letterId, entryPosition) => {
    if (!written.isOurs(entryPosition)) return
    const rows = written.rowsOf.get(entryPosition) ?? 0
    const refused = written.refusedOf.get(entryPosition) ?? []
    const [first] = refused
    if (first !== undefined && rows === 0) {
      const { reason, detail } = first.letter
      stayed.push({ letterId, reason, detail })
      return
    }
    replayed.push({ letterId, rows })
    added.push(...refused)
  })
  const outcome = {
    replayed: replayed.length,
    rows: replayed.reduce((sum, { rows }) => sum + rows, 0),
    lettersAdded: added.length,
    refused: stayed,
    taken: letterIds.length - replayed.length - stayed.length,
  }
  return { replayed, added, outcome }
}

/** Locks the letters that nobody has replayed, purged or locked; the others are left alone, not waited for. */
async function lockLetters(
  client: pg.ClientBase,
  letterIds: readonly string[],
): Promise<{ readonly ours: ReadonlySet<string>; readonly transactionId: string }> {
  const { rows: transaction } = await client.query<{ id: string }>('select pg_current_xact_id()::text as id')
  const { rows } = await client.query<{ letter_id: string }>(
    `select letter_id from dead_letters
      where letter_id = any($1::uuid[]) and replayed_at is null and purged_at is null
        for update skip locked`,
    [letterIds],
  )
  return {
    ours: new Set(rows.map(({ letter_id }) => letter_id)),
    transactionId: transaction[0]?.id ?? '',
  }
}

async function markReplayed(
  client: pg.ClientBase,
  letters: readonly { readonly letterId: string; readonly rows: number }[],
): Promise<void> {
  if (letters.length === 0) return
  await client.query(
    `update dead_letters l set replayed_at = now(), replayed_rows = r.rows
       from unnest($1::uuid[], $2::int[]) as r (letter_id, rows) where l.letter_id = r.letter_id`,
    [letters.map(({ letterId }) => letterId), letters.map(({ rows }) => rows)],
  )
}

/** Rows that were written of each entry. */
function countRows<T>({ records }: EncodedBatch<T>, skip: ReadonlySet<number>): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  records.forEach((entryPosition, position) => {
    if (!skip.has(position)) counts.set(entryPosition, (counts.get(entryPosition) ?? 0) + 1)
  })
  return counts
}

function groupByEntry(letters: readonly PositionedLetter[]): ReadonlyMap<number, PositionedLetter[]> {
  const groups = new Map<number, PositionedLetter[]>()
  for (const letter of letters) {
    const group = groups.get(letter.entryPosition)
    if (group === undefined) groups.set(letter.entryPosition, [letter])
    else group.push(letter)
  }
  return groups
}
