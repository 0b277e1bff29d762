import type pg from 'pg'
import { queryWithin } from '../postgres-connection.ts'

/** Whatever took the lock may have taken this connection, too. */
const QUERY_MAX_MS = 10_000

/**
 * Ends sessions of ours that have been waiting for their client inside a transaction for longer than `frozenAfterMs`: their process is frozen, or
 * the network between swallows what it sends. No timeout of PostgreSQL ends a COPY whose client is silent, and what the transaction has locked
 * would stay locked. A process that wakes up finds its connection closed and tries again; what it held is written once either way.
 *
 * @returns how many sessions were ended.
 */
export async function endFrozenSessions(
  client: Pick<pg.ClientBase, 'query'>,
  frozenAfterMs: number,
): Promise<number> {
  const { rowCount } = await queryWithin(
    client,
    QUERY_MAX_MS,
    `select pg_terminate_backend(pid)
       from pg_stat_activity
      where application_name = 'observatory:ingest' and datname = current_database() and usename = current_user
        and pid <> pg_backend_pid()
        and xact_start is not null and wait_event = 'ClientRead'
        and state_change < clock_timestamp() - make_interval(secs => $1::float8 / 1000)`,
    [frozenAfterMs],
  )
  return rowCount ?? 0
}
