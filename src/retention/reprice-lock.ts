import type pg from 'pg'

/** Held by the session of the one process that reprices spans, or by one that must not have them changed. @returns whether it is ours, until the end of the connection. */
export async function tryToLockReprice(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(hashtextextended('observatory reprice', 0)) as locked`,
  )
  return rows[0]?.locked === true
}
