import type pg from 'pg'
import { CLOSED_AFTER_MS } from './index-keeper.ts'
import { listPartitions } from './list-partitions.ts'
import { findMissingIndexes } from './missing-indexes.ts'
import { INDEXED_TABLES, type IndexedTable } from './partition-indexes.ts'
import type { PartitionedTable } from './partitions.ts'

/** A closed partition that is to be frozen and vacuumed. */
export interface UnfrozenPartition {
  readonly table: PartitionedTable
  /** As SQL takes it. */
  readonly partition: string
  readonly fromMs: number
  /** Somebody else vacuums or detaches it, or builds an index of it. */
  readonly isBusy: boolean
}

export interface UnfrozenOptions {
  readonly nowMs: number
  /** Whether partitions get indexes: then they are waited for. */
  readonly isIndexed: boolean
  /** After the last vacuum, at least. Default an hour. */
  readonly repeatAfterMs?: number
}

/** An index that cannot be built is waited for no longer. */
const INDEX_WAIT_MS = 86_400_000
/**
 * Of late and of deleted rows, since the last vacuum: a tenth of the partition, and no fewer than this. A vacuum reads no page that is frozen already, but it reads GIN
 * indexes whole, which costs as much for one row as for all. PostgreSQL's own vacuum comes at a fifth, and does not freeze.
 */
const LATE_SHARE = 0.1
const LATE_ROWS = 1000

/**
 * What is done is known of the catalogue and its statistics: when it was vacuumed by hand last (not by autovacuum, which does not freeze), what was written since, and whether then all pages
 * were seen to be old. Where statistics are lost, each partition is vacuumed once more, which finds it frozen. No more than once an hour.
 */
const UNFROZEN = `
  select p.name as partition,
         exists (select from pg_locks l
                  where l.relation = c.oid and l.database = (select oid from pg_database where datname = current_database())
                    and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid <> pg_backend_pid()) as "isBusy"
    from unnest($1::text[], $2::float8[]) as p (name, closed_ms)
    join pg_class c on c.oid = to_regclass(p.name) and c.relkind = 'r'
    left join pg_stat_all_tables s on s.relid = c.oid
   where pg_relation_size(c.oid) > 0
     and (s.last_vacuum is null
       or s.last_vacuum < to_timestamp(p.closed_ms / 1000)
       or s.last_vacuum < clock_timestamp() - make_interval(secs => $5::float8 / 1000)
         and (s.n_ins_since_vacuum + s.n_dead_tup >= greatest($3::float8, c.reltuples * $4::float8)
           or s.last_autovacuum > s.last_vacuum
           or c.relallvisible < c.relpages))`

/** The partitions of a table that are closed, have their indexes, and are not frozen, the newest first. */
export async function findUnfrozen(
  client: Pick<pg.ClientBase, 'query'>,
  table: PartitionedTable,
  { nowMs, isIndexed, repeatAfterMs = 3_600_000 }: UnfrozenOptions,
): Promise<readonly UnfrozenPartition[]> {
  const endedBefore = nowMs - CLOSED_AFTER_MS
  const unindexed = new Set(
    isIndexed && isIndexedTable(table)
      ? (await findMissingIndexes(client, table, endedBefore)).map(({ partition }) => partition)
      : [],
  )
  const closed = (await listPartitions(client, table)).filter(
    ({ name, toMs, isDetaching }) =>
      toMs <= endedBefore && !isDetaching && (!unindexed.has(name) || toMs <= endedBefore - INDEX_WAIT_MS),
  )
  const fromMs = new Map(closed.map((partition) => [partition.name, partition.fromMs]))
  const { rows } = await client.query<{ partition: string; isBusy: boolean }>(UNFROZEN, [
    closed.map(({ name }) => name),
    closed.map(({ toMs }) => toMs + CLOSED_AFTER_MS),
    LATE_ROWS,
    LATE_SHARE,
    repeatAfterMs,
  ])
  return rows
    .map((row) => ({ ...row, table, fromMs: fromMs.get(row.partition) ?? 0 }))
    .sort((a, b) => b.fromMs - a.fromMs)
}

function isIndexedTable(table: PartitionedTable): table is IndexedTable {
  return INDEXED_TABLES.some((indexed) => indexed === table)
}
