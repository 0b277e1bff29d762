import type pg from 'pg'
import { listPartitions } from './list-partitions.ts'
import { type IndexedTable, PARTITION_INDEXES } from './partition-indexes.ts'

/** An index that a partition should have. */
export interface MissingIndex {
  readonly table: IndexedTable
  /** As SQL takes it. */
  readonly partition: string
  /** When the time of the partition begins, in unix milliseconds. */
  readonly fromMs: number
  /** Without a schema, and not quoted: an index lies where its table does. */
  readonly name: string
  readonly definition: string
  /** What a build that was broken off has left of it, as SQL takes it. */
  readonly invalid: string | null
  /** Somebody else builds an index of the partition, vacuums or detaches it. */
  readonly isBusy: boolean
}

/**
 * ShareUpdateExclusiveLock is what each of CREATE INDEX CONCURRENTLY, VACUUM, ANALYZE and DETACH CONCURRENTLY holds from its beginning to
 * its end, and pg_locks shows it to everybody, which the progress views do not.
 */
const MISSING = `
  select p.name as partition, i.name, i.definition, x.indexrelid::regclass::text as invalid,
         exists (select from pg_locks l
                  where l.relation = c.oid and l.database = (select oid from pg_database where datname = current_database())
                    and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid <> pg_backend_pid()) as "isBusy"
    from unnest($1::text[]) as p (name)
    join pg_class c on c.oid = to_regclass(p.name) and c.relkind = 'r'
   cross join lateral (
     select (c.relname || '_' || suffix)::name as name, definition, position
       from unnest($2::text[], $3::text[]) with ordinality as of_table (suffix, definition, position)) as i
    left join (pg_index x join pg_class named on named.oid = x.indexrelid) on x.indrelid = c.oid and named.relname = i.name
   where x.indisvalid is not true
   order by i.position`

/**
 * The indexes that are not there, or not valid, on partitions of a table that ended before `endedBeforeMs` (unix milliseconds), those of
 * the newest first. An index is known by its name.
 */
export async function findMissingIndexes(
  client: Pick<pg.ClientBase, 'query'>,
  table: IndexedTable,
  endedBeforeMs: number,
): Promise<readonly MissingIndex[]> {
  const partitions = (await listPartitions(client, table)).filter(
    ({ toMs, isDetaching }) => toMs <= endedBeforeMs && !isDetaching,
  )
  const fromMs = new Map(partitions.map((partition) => [partition.name, partition.fromMs]))
  const indexes = PARTITION_INDEXES[table]
  const { rows } = await client.query<Omit<MissingIndex, 'table' | 'fromMs'>>(MISSING, [
    [...fromMs.keys()],
    indexes.map(({ suffix }) => suffix),
    indexes.map(({ definition }) => definition),
  ])
  return rows
    .map((row) => ({ ...row, table, fromMs: fromMs.get(row.partition) ?? 0 }))
    .sort((a, b) => b.fromMs - a.fromMs)
}
