import type pg from 'pg'

/** Held by the session of the one process that makes rollups. Retention does without it: what it changes is pending, whatever is being rolled up meanwhile. */
const ROLLUP_LOCK = `hashtextextended('observatory rollups', 0)`

/** @returns whether it is ours, until the end of the connection. */
export async function tryToLockRollups(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${ROLLUP_LOCK}) as locked`,
  )
  return rows[0]?.locked === true
}
