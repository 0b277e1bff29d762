import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import { INDEX_BUILD_LOCK } from './build-session.ts'

const POLL_MS = 500

/**
 * Waits for the lock of whoever builds indexes and vacuums, and runs `work` under it. It is asked for again and again: a session that waits inside the
 * server has a snapshot, and a build waits for all of these.
 *
 * @returns undefined when it could not be had in time.
 */
export async function withBuildLock<T>(
  client: pg.ClientBase,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  const giveUpAt = performance.now() + waitMs
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${INDEX_BUILD_LOCK}) as locked`,
    )
    if (rows[0]?.locked === true) break
    if (performance.now() >= giveUpAt) return undefined
    await sleep(POLL_MS, signal)
  }
  const result = await work().catch(async (error: unknown) => {
    // A connection that is lost has given it back.
    await unlock(client).catch(() => undefined)
    throw error
  })
  await unlock(client)
  return { result }
}

async function unlock(client: pg.ClientBase): Promise<void> {
  await client.query(`select pg_advisory_unlock(${INDEX_BUILD_LOCK})`)
}
