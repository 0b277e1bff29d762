import type pg from 'pg'
import { ObservatoryError } from '../../errors.ts'

const ARCHIVES_LOCK = `hashtextextended('observatory archives', 0)`

/**
 * Lets others write and restore archives, too, but nobody write them anew, until the end of the session.
 *
 * @throws ObservatoryError ERR_USAGE while somebody does.
 */
export async function shareArchives(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock_shared(${ARCHIVES_LOCK}) as locked`,
  )
  if (rows[0]?.locked !== true)
    throw new ObservatoryError('ERR_USAGE', "A person's data is being erased from archives; wait for its end")
}

/** Keeps all others from writing and restoring archives until the end of the session. @returns whether nobody does. */
export async function tryToOwnArchives(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${ARCHIVES_LOCK}) as locked`,
  )
  return rows[0]?.locked === true
}
