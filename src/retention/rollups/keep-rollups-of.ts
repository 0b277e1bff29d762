import type pg from 'pg'
import type { PartitionRange } from '../partition-range.ts'
import type { Removal } from '../removal-hooks.ts'
import { markChanged } from './changed-minutes.ts'
import { keepRollups } from './keep-rollups.ts'
import { ROLLUPS } from './rollup.ts'

const MINUTE_MS = 60_000

/** What rollups and cached answers have to know of rows that a removal takes away, in its transaction. */
export async function keepRollupsOf(
  client: pg.ClientBase,
  removal: Removal,
  relation: string,
): Promise<void> {
  const { removalId, table, signal } = removal
  const rollup = ROLLUPS.find((each) => each.table === table)
  if (rollup !== undefined) await keepRollups(client, rollup, { removalId: String(removalId), relation })
  else if (table === 'metric_points') await markChanged(client, signal, minutesOf(removal))
}

/** All minutes of a time range, since 1970. */
export function minutesOf({ fromMs, toMs }: PartitionRange): readonly number[] {
  const from = Math.floor(fromMs / MINUTE_MS)
  return Array.from({ length: Math.ceil(toMs / MINUTE_MS) - from }, (_, index) => from + index)
}
