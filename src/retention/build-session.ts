import type pg from 'pg'

/** Held by the session of the one process that builds indexes. Whoever wants a partition for himself (DETACH, DROP) takes it first, and then waits for no build. */
export const INDEX_BUILD_LOCK = `hashtextextended('observatory index build', 0)`

/**
 * `lock_timeout` also ends the wait for older transactions, which is the last step of a build: a short one would throw the build away each
 * time somebody reads for long. Nothing waits behind it but VACUUM, DETACH and DROP of that one partition. No limit of server or role ends
 * a build (`transaction_timeout` is there since PostgreSQL 17), and it takes one processor core (GIN is built in parallel since 18).
 */
const SETTINGS = {
  lock_timeout: '1h',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  max_parallel_maintenance_workers: '0',
}

const BEGIN = `
  select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)
   where current_setting(name, true) is not null`

/** Sets a session up for building indexes. @returns whether it may: one session of all does, until it is closed. */
export async function beginBuildSession(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  await client.query(BEGIN, [Object.keys(SETTINGS), Object.values(SETTINGS)])
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${INDEX_BUILD_LOCK}) as locked`,
  )
  return rows[0]?.locked === true
}
