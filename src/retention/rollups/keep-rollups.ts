import type pg from 'pg'
import { minuteColumns, type Rollup, sketchedColumns } from './rollup.ts'
import { mergedRowsSql, minuteRowsSql, sketchedSql } from './rollup-sql.ts'

export interface KeptRows {
  /** Above 0: what is kept says by it why its rows are gone. */
  readonly removalId: string
  /** The table of the rows that go, as SQL takes it; it has all columns of the rollup's table. */
  readonly relation: string
}

/**
 * Keeps what rollups say of rows that are about to go, in the transaction that takes them away: answers by rollups stay as they were. The rollups of the rows that stay are made anew.
 * Called for several parts of one removal, it adds them up.
 */
export async function keepRollups(
  client: Pick<pg.ClientBase, 'query'>,
  rollup: Rollup,
  { removalId, relation }: KeptRows,
): Promise<void> {
  const columns = minuteColumns(rollup).join(', ')
  const sketched = sketchedColumns(rollup).join(', ')
  const minutes = `(select minute as bucket, removal_id, ${sketchedSql(rollup)} from kept)`
  const hours = `(select hour as bucket, removal_id, ${sketched} from kept_hours)`
  await client.query(
    `with kept as (
       insert into ${rollup.minutes} (minute, removal_id, ${columns})
       select minute, $1, ${columns} from (${minuteRowsSql(rollup, relation, 'true')}) as rolled
       returning minute, removal_id, ${columns}
     ), kept_hours as (
       insert into ${rollup.hours} (hour, removal_id, ${sketched})
       select hour, removal_id, ${sketched} from (${mergedRowsSql(rollup, 'hour', minutes)}) as merged
       returning hour, removal_id, ${sketched}
     ), kept_days as (
       insert into ${rollup.days} (day, removal_id, ${sketched})
       select day, removal_id, ${sketched} from (${mergedRowsSql(rollup, 'day', hours)}) as merged
     )
     insert into changed_minutes (signal, minutes, pending)
     select $2, minutes, minutes from (
       select range_agg(int4range(number, number + 1)) as minutes
         from (select (extract(epoch from minute) / 60)::int4 as number from kept group by 1) as numbers
     ) as changed
     where minutes is not null`,
    [removalId, rollup.signal],
  )
}
