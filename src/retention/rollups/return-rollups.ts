import type pg from 'pg'
import { minuteColumns, type Rollup } from './rollup.ts'
import { mergedUpSql, minuteRowsSql } from './rollup-sql.ts'

/** What came back is taken off what was kept by rollups of this removal, which has none of its own. */
const RETURNED = -1

/**
 * Takes rows that came back off what {@link keepRollups} has kept of them, in the transaction that brings them: they are counted as rows again. Of those whose sums were not kept (they are
 * of another database) nothing is taken off.
 *
 * What is taken off are rollups with counts and sums below zero. They have no least and greatest values: those of what was kept are those of rows that are there again.
 *
 * @param relation the table of the rows that came back, as SQL takes it.
 */
export async function returnRollups(
  client: Pick<pg.ClientBase, 'query'>,
  rollup: Rollup,
  relation: string,
): Promise<void> {
  const { keys, measures, sketches } = rollup
  const columns = minuteColumns(rollup).join(', ')
  const negative = [
    ...Object.keys(keys).map((name) => `b.${name}`),
    ...Object.entries(measures).map(([name, [, merge]]) => (merge === 'sum' ? `-b.${name}` : 'null')),
    ...Object.keys(sketches).flatMap((name) => [
      `b.${name}_buckets`,
      `(select array_agg(-one_count) from unnest(b.${name}_counts) as one_count)`,
    ]),
  ]
  const isSame = Object.keys(keys).map((name) => `k.${name} is not distinct from b.${name}`)
  await client.query(
    `with back as materialized (${minuteRowsSql(rollup, relation, 'true')}
     ), taken as (
       insert into ${rollup.minutes} (minute, removal_id, ${columns})
       select b.minute, ${RETURNED}, ${negative.join(', ')} from back b
        where b.count <= (select sum(k.count) from ${rollup.minutes} k
                           where k.removal_id <> 0 and k.minute = b.minute and ${isSame.join(' and ')})
       returning minute, removal_id, ${columns}
     )${mergedUpSql(rollup, { added: 'taken', changed: 'back', signal: '$1' })}`,
    [rollup.signal],
  )
}
