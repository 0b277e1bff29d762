import type pg from 'pg'
import type { EntryId } from '../models/stream-entry.ts'

export interface PruneOptions {
  readonly stream: string
  /** Rows committed later than this many days ago stay. */
  readonly keepDays: number
  /** The oldest entry that Redis could deliver again: rows that reach up to it stay. */
  readonly redeliverableFrom: EntryId
}

/** Rows of one DELETE: short transactions, so that nothing waits behind them. */
const ROWS_AT_ONCE = 5000

/** A purged letter only stayed for the ledger row that counts it. */
const DELETE_PURGED_LETTERS = `
  delete from dead_letters
   where stream = $1 and purged_at is not null and entry_ms < div($2::numeric, 100000000000000000000)`

/**
 * Deletes the ledger rows of a stream that nobody can need any more.
 *
 * All rows below one id go, and none above it, whatever their fork: an id that stays covered by any fork stays covered by fork 0, which is the
 * one that claims try (docs/decisions/0002-ledger.md). The id is the lowest that any row which must stay reaches down to; since
 * that row may overlap others, it is lowered until nothing that stays lies across it.
 *
 * @returns how many ledger rows were deleted; the purged dead letters that they counted go with them.
 */
export async function pruneLedger(client: pg.ClientBase, options: PruneOptions): Promise<number> {
  const { stream, keepDays, redeliverableFrom: from } = options
  const oldest = `${from.ms}${String(from.seq).padStart(20, '0')}`
  const { rows } = await client.query<{ cut: string | null }>(
    `with recursive cuts (cut) as (
       select least($3::numeric, min(lower(ids))) from ingest_ledger
        where stream = $1 and (committed_at >= now() - make_interval(days => $2) or upper(ids) >= $3::numeric)
       union
       select least(cut, (select min(lower(ids)) from ingest_ledger where stream = $1 and upper(ids) >= cut)) from cuts
     )
     select min(cut) as cut from cuts`,
    [stream, keepDays, oldest],
  )
  let deleted = 0
  for (;;) {
    const { rowCount } = await client.query(
      `delete from ingest_ledger where ctid = any (array(
         select ctid from ingest_ledger where stream = $1 and upper(ids) < $2::numeric limit ${ROWS_AT_ONCE}))`,
      [stream, rows[0]?.cut],
    )
    deleted += rowCount ?? 0
    if ((rowCount ?? 0) < ROWS_AT_ONCE) break
  }
  await client.query(DELETE_PURGED_LETTERS, [stream, rows[0]?.cut])
  return deleted
}

/**
 * Deletes ledger rows of writers that were used without Redis: each wrote under a name of its own, which ends with its process, and no two
 * of its entries share an id.
 *
 * @returns how many rows were deleted.
 */
export async function pruneWriterLedgers(client: pg.ClientBase, keepDays: number): Promise<number> {
  const { rowCount } = await client.query(
    `delete from ingest_ledger where stream ~ '^writer:[a-z]+:[0-9a-f-]{36}$' and committed_at < now() - make_interval(days => $1)`,
    [keepDays],
  )
  return rowCount ?? 0
}
