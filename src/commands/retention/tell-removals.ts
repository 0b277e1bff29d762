import { type EstimatedRemoval, estimateRemovals } from '../../retention/estimate-removals.ts'
import { withCancellableClient } from '../../retention/with-cancellable-client.ts'
import { Progress } from '../send/progress.ts'
import { removalTable, totalsOf, totalsText } from './removal-table.ts'
import { withRetention } from './with-retention.ts'

/** Says what a run would remove, and removes nothing. */
export async function tellRemovals(flags: object, json: boolean): Promise<void> {
  await withRetention(flags, async ({ pool, policy, signal }) => {
    const progress = new Progress(process.stderr)
    const found: EstimatedRemoval[] = []
    await withCancellableClient(pool, signal, async (client) => {
      for await (const removal of estimateRemovals(client, { policy, nowMs: Date.now(), signal })) {
        found.push(removal)
        const rows = found.reduce((sum, each) => sum + each.rows, 0)
        progress.update({ noun: 'rows', records: rows, refused: 0, bytesRead: 0, totalBytes: undefined })
      }
    })
    progress.clear()
    const totals = totalsOf(found)
    if (json) process.stdout.write(`${JSON.stringify({ ...totals, removals: found }, null, 2)}\n`)
    else if (found.length === 0) process.stderr.write('nothing is past its retention\n')
    else process.stdout.write(`${removalTable(found)}would remove ${totalsText(totals)}\n`)
  })
}
