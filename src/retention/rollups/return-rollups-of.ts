import type pg from 'pg'
import type { RestoredRows } from '../restored-rows.ts'
import { returnMetricRollups } from './metrics/return-metric-rollups.ts'
import { returnRollups } from './return-rollups.ts'
import { ROLLUPS } from './rollup.ts'

/** What rollups and cached answers have to know of rows that came back, in the transaction that brings them. */
export async function returnRollupsOf(
  client: pg.ClientBase,
  { table, relation }: RestoredRows,
): Promise<void> {
  const rollup = ROLLUPS.find((each) => each.table === table)
  if (rollup !== undefined) await returnRollups(client, rollup, relation)
  else if (table === 'metric_points') await returnMetricRollups(client, relation)
}
