import type pg from 'pg'
import { withCancellableClient } from './with-cancellable-client.ts'

/** Held by the session of the one process that removes. Beside it builds of indexes go on: they have a lock of their own. */
const RETENTION_LOCK = `hashtextextended('observatory retention', 0)`

/** A hook may take its time, and no limit of server or role ends what is removed. */
const SETTINGS = { idle_session_timeout: '0', transaction_timeout: '0', statement_timeout: '0' }

const BEGIN = `
  select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)
   where current_setting(name, true) is not null`

/** Runs `work` in the one session of all that removes. @returns undefined when another process has it. */
export async function withRetentionSession<T>(
  pool: pg.Pool,
  signal: AbortSignal,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  return withCancellableClient(pool, signal, async (client) => {
    await client.query(BEGIN, [Object.keys(SETTINGS), Object.values(SETTINGS)])
    const { rows } = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${RETENTION_LOCK}) as locked`,
    )
    return rows[0]?.locked === true ? { result: await work(client) } : undefined
  })
}
