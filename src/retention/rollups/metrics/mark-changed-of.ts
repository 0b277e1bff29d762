import type pg from 'pg'

/** Says of which minutes points are, in the transaction that brings or takes them. @param relation a table of them, as SQL takes it. */
export async function markChangedOf(client: Pick<pg.ClientBase, 'query'>, relation: string): Promise<void> {
  await client.query(
    `insert into changed_minutes (signal, minutes, pending)
     select 'metrics', minutes, minutes from (
       select range_agg(int4range(number, number + 1)) as minutes
         from (select distinct floor(extract(epoch from p.time) / 60)::int4 as number from ${relation} p) as numbers
     ) as changed
     where minutes is not null`,
  )
}
