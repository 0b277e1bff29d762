import type pg from 'pg'
import type { RestoredRows } from '../restored-rows.ts'
import { markChanged } from './changed-minutes.ts'
import { minutesOf } from './keep-rollups-of.ts'
import { returnRollups } from './return-rollups.ts'
import { ROLLUPS } from './rollup.ts'

/** What rollups and cached answers have to know of rows that came back, in the transaction that brings them. */
export async function returnRollupsOf(client: pg.ClientBase, rows: RestoredRows): Promise<void> {
  const { table, relation } = rows
  const rollup = ROLLUPS.find((each) => each.table === table)
  if (rollup !== undefined) await returnRollups(client, rollup, relation)
  else if (table === 'metric_points') await markChanged(client, 'metrics', minutesOf(rows))
}
