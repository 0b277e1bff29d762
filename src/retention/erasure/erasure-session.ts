import type pg from 'pg'
import { ObservatoryError } from '../../errors.ts'
import { sleep } from '../../lifecycle.ts'
import { tryToOwnArchives } from '../archive/archive-lock.ts'
import { unfinishedRemovals } from '../removals.ts'
import { tryToLockReprice } from '../reprice-lock.ts'
import { withRetentionSession } from '../retention-session.ts'

/** Retention of a service runs for some seconds, mostly. */
const WAIT_MS = 30_000
const POLL_MS = 500

/**
 * Runs `work` in the one session of all that erases, while nobody removes, archives, restores or reprices rows: each of them moves rows from where they were looked for to where they were not.
 *
 * @throws ObservatoryError ERR_USAGE while somebody does, or has begun to remove a partition.
 */
export async function withErasureSession<T>(
  pool: pg.Pool,
  signal: AbortSignal,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + WAIT_MS
  for (;;) {
    const done = await withRetentionSession(pool, signal, async (client) => {
      await beAlone(client)
      return work(client)
    })
    if (done !== undefined) return done.result
    if (performance.now() >= giveUpAt) throw busy('Retention or another erasure is running on this database')
    await sleep(POLL_MS, signal)
  }
}

async function beAlone(client: pg.ClientBase): Promise<void> {
  if (!(await tryToOwnArchives(client))) throw busy('Archives are being written or restored')
  if (!(await tryToLockReprice(client))) throw busy('Spans are being repriced')
  const detached = (await unfinishedRemovals(client)).find(
    ({ state }) => state === 'detaching' || state === 'detached',
  )
  if (detached !== undefined)
    throw new ObservatoryError(
      'ERR_USAGE',
      `Retention has begun to remove ${detached.partition}, and not ended: let it ("observatory retention run", or the service), then erase`,
    )
}

function busy(what: string): ObservatoryError {
  return new ObservatoryError('ERR_USAGE', `${what}; wait for its end`)
}
