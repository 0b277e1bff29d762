import type pg from 'pg'
import type { PartitionRange } from './partition-range.ts'

export interface Partition extends PartitionRange {
  /** As SQL takes it. */
  readonly name: string
  /** A DETACH CONCURRENTLY was begun and has not ended: it takes no rows any more, and its range can have no other partition yet. */
  readonly isDetaching: boolean
}

/** The partitions of a table that are attached, the newest first. */
export async function listPartitions(
  client: Pick<pg.ClientBase, 'query'>,
  table: string,
): Promise<readonly Partition[]> {
  const { rows } = await client.query<{ name: string; from_ms: number; to_ms: number; detaching: boolean }>(
    `select oid::regclass::text as name, extract(epoch from bounds[1]::timestamptz)::float8 * 1000 as from_ms,
            extract(epoch from bounds[2]::timestamptz)::float8 * 1000 as to_ms, inhdetachpending as detaching
       from (
         select c.oid, inhdetachpending,
                regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']+)'\\) TO \\('([^']+)'\\)$$) as bounds
           from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass
       ) as partitions
      order by from_ms desc`,
    [table],
  )
  return rows.map(({ name, from_ms, to_ms, detaching }) => ({
    name,
    fromMs: from_ms,
    toMs: to_ms,
    isDetaching: detaching,
  }))
}
