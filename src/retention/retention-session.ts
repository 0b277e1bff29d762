import type pg from 'pg'
import { liftTimeLimits } from './lift-time-limits.ts'
import { withCancellableClient } from './with-cancellable-client.ts'

/** Held by the session of the one process that removes. Beside it builds of indexes go on: they have a lock of their own. */
const RETENTION_LOCK = `hashtextextended('observatory retention', 0)`

/** Runs `work` in the one session of all that removes. @returns undefined when another process has it. */
export async function withRetentionSession<T>(
  pool: pg.Pool,
  signal: AbortSignal,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  return withCancellableClient(pool, signal, async (client) => {
    await liftTimeLimits(client)
    const { rows } = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${RETENTION_LOCK}) as locked`,
    )
    return rows[0]?.locked === true ? { result: await work(client) } : undefined
  })
}
