import type pg from 'pg'
import type { KeptRows } from '../keep-rollups.ts'
import { markChangedOf } from './mark-changed-of.ts'
import { rollUpPoints } from './roll-up-metrics.ts'

/**
 * As {@link keepRollups}, of points: what goes stays as rollups of hours. Called for several parts of one removal, it keeps a rollup of each; they are put together as those of hours are, and
 * exactly so where the points of one come after those of the other.
 */
export async function keepMetricRollups(
  client: Pick<pg.ClientBase, 'query'>,
  { removalId, relation }: KeptRows,
): Promise<void> {
  await rollUpPoints(client, { relation, where: '', values: [], removalId })
  await markChangedOf(client, relation)
}
