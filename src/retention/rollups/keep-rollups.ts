import type pg from 'pg'
import { minuteColumns, type Rollup } from './rollup.ts'
import { mergedUpSql, minuteRowsSql } from './rollup-sql.ts'

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
  await client.query(
    `with kept as (
       insert into ${rollup.minutes} (minute, removal_id, ${columns})
       select minute, $1, ${columns} from (${minuteRowsSql(rollup, relation, 'true')}) as rolled
       returning minute, removal_id, ${columns}
     )${mergedUpSql(rollup, { added: 'kept', changed: 'kept', signal: '$2' })}`,
    [removalId, rollup.signal],
  )
}
