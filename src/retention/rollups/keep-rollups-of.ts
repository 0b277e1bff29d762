import type pg from 'pg'
import type { Removal } from '../removal-hooks.ts'
import { keepRollups } from './keep-rollups.ts'
import { keepMetricRollups } from './metrics/keep-metric-rollups.ts'
import { ROLLUPS } from './rollup.ts'

/** What rollups and cached answers have to know of rows that a removal takes away, in its transaction. */
export async function keepRollupsOf(
  client: pg.ClientBase,
  { removalId, table }: Removal,
  relation: string,
): Promise<void> {
  const kept = { removalId: String(removalId), relation }
  const rollup = ROLLUPS.find((each) => each.table === table)
  if (rollup !== undefined) await keepRollups(client, rollup, kept)
  else if (table === 'metric_points') await keepMetricRollups(client, kept)
}
