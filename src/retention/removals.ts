import type pg from 'pg'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionedTable } from './partitions.ts'
import type { Removal } from './removal-hooks.ts'

/**
 * Of a partition: announced → detaching → detached → removed. Of rows: removing → removed. Either is abandoned when there is nothing to remove any
 * more. They say what was begun; what has come of it is asked of the catalogue.
 */
export type RemovalState = 'announced' | 'detaching' | 'detached' | 'removing' | 'removed' | 'abandoned'

/** A row of `removals`. */
export interface RecordedRemoval extends Removal {
  readonly state: RemovalState
  readonly rows: number
  readonly bytes: number
  readonly insertedBefore: bigint | undefined
  readonly startedAtMs: number
  readonly finishedAtMs: number | undefined
}

export type NewRemoval = Omit<Removal, 'removalId'> & { readonly insertedBefore?: bigint }

interface RemovalRow {
  readonly removal_id: string
  readonly kind: 'partition' | 'rows'
  readonly state: RemovalState
  readonly signal: TelemetrySignal
  readonly table_name: PartitionedTable
  readonly partition_name: string
  readonly rules: string | null
  readonly inserted_before: string | null
  readonly rows: string
  readonly bytes: string
  readonly from_ms: number
  readonly to_ms: number
  readonly started_ms: number
  readonly finished_ms: number | null
}

const COLUMNS = `
  removal_id, kind, state, signal, table_name, partition_name, rules, inserted_before, rows, bytes,
  extract(epoch from from_time)::float8 * 1000 as from_ms, extract(epoch from to_time)::float8 * 1000 as to_ms,
  extract(epoch from started_at)::float8 * 1000 as started_ms, extract(epoch from finished_at)::float8 * 1000 as finished_ms`

/** The removals that were begun and have not ended, the oldest first. */
export async function unfinishedRemovals(
  client: Pick<pg.ClientBase, 'query'>,
): Promise<readonly RecordedRemoval[]> {
  const { rows } = await client.query<RemovalRow>(
    `select ${COLUMNS} from removals where finished_at is null order by removal_id`,
  )
  return rows.map(read)
}

/** The newest removals, the newest first. */
export async function newestRemovals(
  client: Pick<pg.ClientBase, 'query'>,
  limit: number | null,
): Promise<readonly RecordedRemoval[]> {
  const { rows } = await client.query<RemovalRow>(
    `select ${COLUMNS} from removals order by removal_id desc limit $1`,
    [limit],
  )
  return rows.map(read)
}

/** Of each of those partitions the last deletion of rows that came to its end, by partition. */
export async function lastRowRemovals(
  client: Pick<pg.ClientBase, 'query'>,
  partitions: readonly string[],
): Promise<ReadonlyMap<string, RecordedRemoval>> {
  const { rows } = await client.query<RemovalRow>(
    `select l.* from unnest($1::text[]) as p (name) cross join lateral (
       select ${COLUMNS} from removals where partition_name = p.name and kind = 'rows' and state = 'removed'
        order by removal_id desc limit 1) l`,
    [partitions],
  )
  return new Map(rows.map((row) => [row.partition_name, read(row)]))
}

/** Writes a removal down before its first step; one of the same partition that has not ended goes on. */
export async function recordRemoval(
  client: Pick<pg.ClientBase, 'query'>,
  removal: NewRemoval,
): Promise<RecordedRemoval> {
  const { kind, signal, table, partition, fromMs, toMs, rules, insertedBefore } = removal
  const { rows } = await client.query<RemovalRow>(
    `insert into removals (kind, state, signal, table_name, partition_name, from_time, to_time, rules, inserted_before)
     values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000), $8, $9)
     on conflict (partition_name) where finished_at is null do update
       set kind = excluded.kind, state = excluded.state, rules = excluded.rules, inserted_before = excluded.inserted_before
     returning ${COLUMNS}`,
    [
      kind,
      kind === 'partition' ? 'announced' : 'removing',
      signal,
      table,
      partition,
      fromMs,
      toMs,
      rules,
      insertedBefore,
    ],
  )
  return read(rows[0] as RemovalRow)
}

/** How far a removal is; `removed` and `abandoned` end it. Adds to what was removed by it. */
export async function advanceRemoval(
  client: Pick<pg.ClientBase, 'query'>,
  { removalId }: Pick<Removal, 'removalId'>,
  state: RemovalState,
  { rows, bytes }: { readonly rows: number; readonly bytes: number } = { rows: 0, bytes: 0 },
): Promise<void> {
  await client.query(
    `update removals set state = $2, rows = rows + $3, bytes = bytes + $4,
            finished_at = case when $2 in ('removed', 'abandoned') then clock_timestamp() end
      where removal_id = $1`,
    [removalId, state, rows, bytes],
  )
}

function read(row: RemovalRow): RecordedRemoval {
  return {
    removalId: BigInt(row.removal_id),
    kind: row.kind,
    state: row.state,
    signal: row.signal,
    table: row.table_name,
    partition: row.partition_name,
    rules: row.rules ?? undefined,
    insertedBefore: row.inserted_before === null ? undefined : BigInt(row.inserted_before),
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    fromMs: row.from_ms,
    toMs: row.to_ms,
    startedAtMs: row.started_ms,
    finishedAtMs: row.finished_ms ?? undefined,
  }
}
