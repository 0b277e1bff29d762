import { messageOf, ObservatoryError } from '../../errors.ts'
import { giveWay } from '../../give-way.ts'
import { createArchiveBeforeRemoval } from '../../retention/archive/archive-before-removal.ts'
import { createRemovalHooks } from '../../retention/create-removal-hooks.ts'
import { withRetentionSession } from '../../retention/retention-session.ts'
import { type RetentionEvent, runRetention } from '../../retention/run-retention.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { Progress } from '../send/progress.ts'
import { removalTable, type ShownRemoval, shortName, totalsOf, totalsText } from './removal-table.ts'
import { withRetention } from './with-retention.ts'

interface LeftRemoval {
  readonly partition: string
  readonly reason: string
}

/**
 * Removes what is past its retention. The exit code is 1 when something is left.
 *
 * @throws ObservatoryError ERR_USAGE when another process does it.
 */
export async function runRetentionNow(flags: object, json: boolean): Promise<void> {
  giveWay()
  await withRetention(flags, async ({ pool, policy, settings, signal }) => {
    const progress = new Progress(process.stderr)
    const removed: ShownRemoval[] = []
    const left: LeftRemoval[] = []
    const onEvent = (event: RetentionEvent) => {
      const { removal } = event
      if (event.kind === 'chunk') tellChunk(progress, event)
      if (event.kind === 'waiting') progress.line(event.reason)
      if (event.kind === 'removed') {
        progress.clear()
        const { rows, bytes } = event
        // Of rows that a process before had deleted some may be, too.
        if (removal.kind === 'partition' || rows > 0) removed.push({ ...removal, rows, bytes })
      }
      if (event.kind === 'heldUp' || event.kind === 'failed') {
        const reason = event.kind === 'heldUp' ? event.reason : messageOf(event.error)
        left.push({ partition: removal.partition, reason })
        progress.line(`${shortName(removal.partition)} is left: ${reason}`)
      }
    }
    const hooks = createRemovalHooks(pool, createArchiveBeforeRemoval(pool, settings))
    const done = await withRetentionSession(pool, signal, async (client) => {
      try {
        await runRetention(client, { policy, hooks, nowMs: Date.now(), signal, onEvent })
      } finally {
        progress.clear()
        // Also of a run that was cut off: what is gone is gone.
        tell(removed, left, json)
      }
    })
    if (done === undefined)
      throw new ObservatoryError(
        'ERR_USAGE',
        'Retention is running on this database already; wait for its end',
      )
    if (left.length > 0) process.exitCode = EXIT_FAILED
  })
}

function tellChunk(
  progress: Progress,
  { rows, doneBlocks, totalBlocks }: Extract<RetentionEvent, { kind: 'chunk' }>,
): void {
  progress.update({
    noun: 'rows',
    records: rows,
    refused: 0,
    bytesRead: doneBlocks,
    totalBytes: totalBlocks,
  })
}

function tell(removed: readonly ShownRemoval[], left: readonly LeftRemoval[], json: boolean): void {
  const totals = totalsOf(removed)
  if (json)
    process.stdout.write(`${JSON.stringify({ ...totals, removals: removed.map(shown), left }, null, 2)}\n`)
  else if (removed.length > 0) process.stdout.write(`${removalTable(removed)}removed ${totalsText(totals)}\n`)
  else if (left.length === 0) process.stderr.write('nothing is past its retention\n')
}

function shown({ kind, signal, table, partition, fromMs, toMs, rules, rows, bytes }: ShownRemoval): object {
  return { kind, signal, table, partition, fromMs, toMs, rules, rows, bytes }
}
