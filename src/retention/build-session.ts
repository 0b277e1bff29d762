import type pg from 'pg'
import { liftTimeLimits } from './lift-time-limits.ts'

/** Held by the session of the one process that builds indexes. Whoever wants a partition for himself (DETACH, DROP) takes it first, and then waits for no build. */
export const INDEX_BUILD_LOCK = `hashtextextended('observatory index build', 0)`

/**
 * `lock_timeout` also ends the wait for older transactions, which is the last step of a build: a short one would throw the build away each
 * time somebody reads for long. Nothing waits behind it but VACUUM, DETACH and DROP of that one partition. A build
 * takes one processor core (GIN is built in parallel since 18).
 */
const SETTINGS = {
  lock_timeout: '1h',
  max_parallel_maintenance_workers: '0',
}

/** Sets a session up for building indexes. @returns whether it may: one session of all does, until it is closed. */
export async function beginBuildSession(client: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
  await liftTimeLimits(client, SETTINGS)
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${INDEX_BUILD_LOCK}) as locked`,
  )
  return rows[0]?.locked === true
}
