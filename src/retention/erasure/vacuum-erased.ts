import type pg from 'pg'
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../../errors.ts'
import { withBuildLock } from '../build-lock.ts'
import { listPartitions } from '../list-partitions.ts'
import { overlaps } from '../partition-range.ts'
import { PARTITIONED_TABLES, type PartitionedTable } from '../partitions.ts'
import { RETAINED_TABLES } from '../retention-policy.ts'
import type { RunningErasure } from './erasure-context.ts'

/** Of whoever builds an index of the partition, or vacuums it. */
const WAIT_MS = 60_000

/**
 * Vacuums all that this erasure took rows from, in whichever run, so that no page shows them any more, and has statistics made anew, which hold the most common values.
 *
 * @returns what could not be vacuumed, because others are at it; autovacuum comes to it.
 */
export async function vacuumErased({
  client,
  signal,
  onProgress,
  erasureId,
}: RunningErasure): Promise<readonly string[]> {
  await client.query(`set lock_timeout = '${WAIT_MS}ms'; set vacuum_cost_delay = 0`)
  const left: string[] = []
  const names = await tablesOf(client, erasureId)
  for (const [index, name] of names.entries()) {
    signal.throwIfAborted()
    onProgress({ step: 'vacuuming', what: name, rows: index })
    const done = await withBuildLock(client, { waitMs: WAIT_MS, signal }, async () => {
      try {
        await client.query(`vacuum (analyze) ${name}`)
        return true
      } catch (error) {
        if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error
        return false
      }
    })
    if (done?.result !== true) left.push(name)
  }
  for (const table of await analyzedTables(client)) {
    onProgress({ step: 'vacuuming', what: table, rows: names.length })
    await client.query(`analyze ${table}`)
  }
  return left
}

/** Partitions, and the tables beside, that something was erased from. */
async function tablesOf(client: pg.ClientBase, erasureId: string | undefined): Promise<readonly string[]> {
  const { rows: ranges } = await client.query<{ table: PartitionedTable; from_ms: number; to_ms: number }>(
    `select table_name as table, extract(epoch from from_time)::float8 * 1000 as from_ms, extract(epoch from to_time)::float8 * 1000 as to_ms
       from erased_ranges where erasure_id = $1`,
    [erasureId],
  )
  const names: string[] = []
  for (const table of PARTITIONED_TABLES) {
    const of = RETAINED_TABLES.find(({ contents }) => contents?.table === table)?.table
    const own = ranges.filter((range) => range.table === table || range.table === of)
    for (const partition of own.length === 0 ? [] : await listPartitions(client, table))
      if (own.some((range) => overlaps(partition, { fromMs: range.from_ms, toMs: range.to_ms })))
        names.push(partition.name)
  }
  const { rows } = await client.query<{ name: string }>(
    `select 'dead_letters' as name from erasures where erasure_id = $1 and letters > 0
     union all select 'metric_series' where exists (select from erasing_series)
     union all select 'resources' where exists (select from erasing_resources)`,
    [erasureId],
  )
  return [...names, ...rows.map(({ name }) => name)]
}

/** Partitioned tables that somebody has analyzed, which PostgreSQL does not by itself: these have statistics of all their rows. */
async function analyzedTables(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct c.oid::regclass::text as name from pg_stats s
       join pg_class c on c.relname = s.tablename and c.oid = any($1::text[]::regclass[])
      where s.inherited`,
    [PARTITIONED_TABLES],
  )
  return rows.map(({ name }) => name)
}
