import { newestRemovals, type RecordedRemoval } from '../../retention/removals.ts'
import { formatBytes, formatCount, textTable } from '../text-table.ts'
import { withPool } from '../with-pool.ts'
import { shortName } from './removal-table.ts'
import { RETENTION_USE } from './with-retention.ts'

/** Lists what was removed, and what is being removed, the newest first. */
export async function listRemovals(
  flags: object,
  { limit, json }: { readonly limit: number; readonly json: boolean },
): Promise<void> {
  await withPool(flags, RETENTION_USE, async ({ pool }) => {
    const removals = await newestRemovals(pool, limit)
    if (json) process.stdout.write(removals.map((removal) => `${JSON.stringify(asJson(removal))}\n`).join(''))
    else if (removals.length === 0) process.stderr.write('nothing was removed yet\n')
    else process.stdout.write(asTable(removals))
  })
}

function asTable(removals: readonly RecordedRemoval[]): string {
  return textTable(
    [
      { heading: 'BEGUN' },
      { heading: 'STATE' },
      { heading: 'PARTITION' },
      { heading: 'ROWS', align: 'right' },
      { heading: 'SIZE', align: 'right' },
      { heading: 'WHAT' },
    ],
    removals.map(({ startedAtMs, state, partition, rows, bytes, kind, rules }) => [
      `${timeOf(startedAtMs).slice(0, 19)}Z`,
      state,
      shortName(partition),
      formatCount(rows),
      formatBytes(bytes),
      kind === 'partition' ? 'all of it' : (rules ?? ''),
    ]),
  )
}

function asJson({
  removalId,
  insertedBefore: _,
  fromMs,
  toMs,
  startedAtMs,
  finishedAtMs,
  ...rest
}: RecordedRemoval) {
  return {
    removalId: Number(removalId),
    ...rest,
    from: timeOf(fromMs),
    to: timeOf(toMs),
    startedAt: timeOf(startedAtMs),
    finishedAt: finishedAtMs === undefined ? null : timeOf(finishedAtMs),
  }
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString()
}
