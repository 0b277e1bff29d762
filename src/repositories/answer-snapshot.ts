import type pg from 'pg'
import { floorDivide } from '../models/floor-divide.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { RecordFilter } from './filter.ts'
import { MINUTE_NANOS } from './rollups/plan-pieces.ts'
import { readRows } from './stream-rows.ts'

/** Which transactions an answer can have seen. */
export async function readSnapshot(pool: pg.Pool, signal: AbortSignal): Promise<string> {
  const text = 'select pg_current_snapshot()::text'
  const [row] = await readRows<readonly [string]>(pool, { text, values: [] }, signal)
  return row?.[0] ?? ''
}

/**
 * Transactions that the snapshot does not see have ids of at least its xmin: the index finds those few. A snapshot that is ahead of the server is of another one, or of a
 * later state of this one.
 */
const UNCHANGED = `
  select pg_snapshot_xmax($2::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) and not exists (
    select from changed_minutes
     where signal = $1 and xid >= pg_snapshot_xmin($2::pg_snapshot) and not pg_visible_in_snapshot(xid, $2::pg_snapshot)
       and minutes && int4multirange(int4range($3, $4)))`

export interface AnswerOf extends Pick<RecordFilter, 'from' | 'to'> {
  readonly signal: TelemetrySignal
  readonly snapshot: string
}

/** Whether no transaction has changed anything of the time range that the snapshot does not see. */
export async function isUnchanged(
  pool: pg.Pool,
  { signal: telemetrySignal, snapshot, from, to }: AnswerOf,
  signal: AbortSignal,
): Promise<boolean> {
  const values = [
    telemetrySignal,
    snapshot,
    from === undefined ? null : int4(floorDivide(from, MINUTE_NANOS)),
    to === undefined ? null : int4(-floorDivide(-to, MINUTE_NANOS)),
  ]
  const [row] = await readRows<readonly [boolean]>(
    pool,
    { text: UNCHANGED, values, name: 'unchanged' },
    signal,
  )
  return row?.[0] === true
}

/** Past its ends there is nothing. */
function int4(minute: bigint): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(minute)))
}
