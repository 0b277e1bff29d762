import type pg from 'pg'
import type { PartitionRange } from './partition-range.ts'

export interface Partition extends PartitionRange {
  /** As SQL takes it. */
  readonly name: string
}

/** The partitions of a table that are attached, in no order. In a transaction: it sets how times are written until its end. */
export async function listPartitions(client: pg.ClientBase, table: string): Promise<Partition[]> {
  await client.query(`set local timezone = 'UTC'`)
  await client.query(`set local datestyle = 'ISO'`)
  const { rows } = await client.query<{ name: string; bounds: string }>(
    `select c.oid::regclass::text as name, pg_get_expr(c.relpartbound, c.oid) as bounds
       from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = $1::regclass`,
    [table],
  )
  return rows.map(({ name, bounds }) => {
    const [fromMs = 0, toMs = 0] = [...bounds.matchAll(/'(\S+) (\S+)\+00'/g)].map(([, day, time]) =>
      Date.parse(`${day}T${time}Z`),
    )
    return { name, fromMs, toMs }
  })
}
