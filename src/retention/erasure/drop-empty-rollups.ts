import type pg from 'pg'
import type { PartitionRange } from '../partition-range.ts'
import type { PartitionedTable } from '../partitions.ts'
import { ROLLUPS } from '../rollups/rollup.ts'

/** Drops rollups of removed rows that come to nothing together: what they have in common (a name, a model) is else told though no row had it but those that were erased. */
export async function dropEmptyRollups(
  client: Pick<pg.ClientBase, 'query'>,
  table: PartitionedTable,
  { fromMs, toMs }: PartitionRange,
): Promise<void> {
  const rollup = ROLLUPS.find((each) => each.table === table)
  if (rollup === undefined) return
  const keys = Object.keys(rollup.keys)
  const isSame = keys.map((key) => `k.${key} is not distinct from e.${key}`).join(' and ')
  for (const [of, time] of [
    [rollup.minutes, 'minute'],
    [rollup.hours, 'hour'],
    [rollup.days, 'day'],
  ])
    await client.query(
      `delete from ${of} k using (
         select ${time}, ${keys.join(', ')} from ${of} where removal_id <> 0 and ${time} >= $1 and ${time} < $2
          group by ${time}, ${keys.join(', ')} having sum(count) = 0) e
        where k.removal_id <> 0 and k.${time} = e.${time} and k.${time} >= $1 and k.${time} < $2 and ${isSame}`,
      [new Date(fromMs), new Date(toMs)],
    )
}
