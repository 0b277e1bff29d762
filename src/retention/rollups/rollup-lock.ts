import type pg from 'pg'

/** Held by the session of the one process that makes rollups. Whoever takes rows away and keeps their sums takes it first: then nothing is rolled up of rows that are half gone. */
export const ROLLUP_LOCK = `hashtextextended('observatory rollups', 0)`

/** @returns whether it is ours, until {@link unlockRollups} or the end of the connection. */
export async function tryToLockRollups(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${ROLLUP_LOCK}) as locked`,
  )
  return rows[0]?.locked === true
}

export async function unlockRollups(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  await client.query(`select pg_advisory_unlock(${ROLLUP_LOCK})`)
}
