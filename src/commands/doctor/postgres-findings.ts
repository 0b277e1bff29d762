import type pg from 'pg'
import { messageOf, ObservatoryError } from '../../errors.ts'
import { pendingMigrations } from '../../migrate.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { measureTables } from './table-sizes.ts'
import { findUnfinishedErasures } from './unfinished-erasures.ts'
import { findUnpricedModels } from './unpriced-models.ts'

interface PostgresFacts {
  readonly fsync: string
  readonly full_page_writes: string
  readonly synchronous_commit: string
  readonly is_standby: boolean
  readonly read_only: string
  /** Connections that this role can have in this database, were there no others. */
  readonly connection_limit: number
  /** Those held by others than this program. */
  readonly connections_of_others: number
  readonly btree_gist: 'installed' | 'available' | 'missing'
  readonly may_create: boolean
}

const FACTS = `
  select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
    current_setting('synchronous_commit') as synchronous_commit, pg_is_in_recovery() as is_standby,
    current_setting('transaction_read_only') as read_only,
    least(
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
      (select nullif(datconnlimit, -1) from pg_database where datname = current_database()),
      (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user)
    ) as connection_limit,
    (select count(*)::int from pg_stat_activity
      where datid is not null and coalesce(backend_type, 'client backend') = 'client backend'
        and application_name not like 'observatory%') as connections_of_others,
    case when exists (select from pg_extension where extname = 'btree_gist') then 'installed'
      when exists (select from pg_available_extensions where name = 'btree_gist') then 'available'
      else 'missing' end as btree_gist,
    has_database_privilege(current_database(), 'create') as may_create`

/**
 * What PostgreSQL's settings, sessions and tables mean for the service.
 *
 * @param connectionsNeeded that one process opens at most.
 * @throws what pg throws.
 */
export async function findInPostgres(
  client: pg.Client,
  connectionsNeeded: number,
): Promise<readonly Finding[]> {
  const { rows } = await client.query<PostgresFacts>(FACTS)
  const [facts] = rows
  if (facts === undefined) throw new TypeError('PostgreSQL answered without a row')
  return [
    ...judgeFacts(facts, connectionsNeeded),
    await findLockWaits(client),
    await findIdleTransactions(client),
    await findPendingMigrations(client),
    await findUnpricedModels(client),
    await findUnfinishedErasures(client),
    ...(await measureTables(client)),
  ]
}

function judgeFacts(facts: PostgresFacts, needed: number): readonly Finding[] {
  return [
    judgeWritable(facts),
    facts.fsync === 'on'
      ? ok('PostgreSQL fsync', 'on')
      : fail('PostgreSQL fsync', 'off', 'A crash of its machine can destroy the database: set fsync = on.'),
    facts.full_page_writes === 'on'
      ? ok('PostgreSQL full_page_writes', 'on')
      : warn(
          'PostgreSQL full_page_writes',
          'off',
          'Safe only where the file system writes whole pages at once (ZFS): else set it on.',
        ),
    // Sessions set it themselves, so this is what a batch commits with, whatever the server's default is.
    ok('PostgreSQL synchronous_commit', `${facts.synchronous_commit} in every session of the service`),
    judgeConnections(facts, needed),
    judgeBtreeGist(facts),
  ]
}

function judgeWritable({ is_standby, read_only }: PostgresFacts): Finding {
  const check = 'PostgreSQL is writable'
  if (is_standby) return fail(check, 'no, it is a standby', 'Point DATABASE_URL to the primary.')
  if (read_only === 'on') {
    return fail(
      check,
      'no, transactions are read-only',
      'Set default_transaction_read_only = off for this role.',
    )
  }
  return ok(check, 'yes')
}

function judgeConnections(
  { connection_limit, connections_of_others }: PostgresFacts,
  needed: number,
): Finding {
  const check = 'PostgreSQL connections'
  const found = `${connection_limit} allowed, ${connections_of_others} held by others, ${needed} needed by one service`
  if (needed > connection_limit) {
    return fail(
      check,
      found,
      'Raise max_connections (or the limit of the role or database), or lower WRITE_CONCURRENCY and DATABASE_POOL_MAX.',
    )
  }
  if (needed > connection_limit - connections_of_others) {
    return warn(
      check,
      found,
      'Under load some will be refused: raise max_connections, or lower WRITE_CONCURRENCY and DATABASE_POOL_MAX.',
    )
  }
  return ok(check, found)
}

function judgeBtreeGist({ btree_gist, may_create }: PostgresFacts): Finding {
  const check = 'PostgreSQL btree_gist'
  if (btree_gist === 'installed') return ok(check, 'installed')
  if (btree_gist === 'missing') {
    return fail(
      check,
      'not available',
      'Install the contrib extensions of this PostgreSQL (Debian has them in the server package, Red Hat in postgresql-contrib).',
    )
  }
  if (may_create) return ok(check, 'available, installed by the first migration')
  return fail(
    check,
    'available, but this role may not install it',
    'As the owner of the database: CREATE EXTENSION btree_gist, or GRANT CREATE ON DATABASE.',
  )
}

/** From pg_locks: a role without pg_read_all_stats is not shown what sessions of others wait for. */
const LOCK_WAITS = `
  select count(distinct pid)::int as count,
    coalesce(max(extract(epoch from clock_timestamp() - waitstart)), 0)::int as seconds,
    string_agg(distinct blocker::text, ', ') as blockers
  from pg_locks join pg_stat_activity using (pid)
  left join lateral unnest(pg_blocking_pids(pid)) as blocker on true
  where not granted and datname = current_database()`

async function findLockWaits(client: pg.Client): Promise<Finding> {
  const check = 'PostgreSQL lock waits'
  const { rows } = await client.query<{ count: number; seconds: number; blockers: string | null }>(LOCK_WAITS)
  const { count = 0, seconds = 0, blockers = null } = rows[0] ?? {}
  if (count === 0) return ok(check, 'none now')
  return warn(
    check,
    `${count} now, the longest for ${seconds} s, behind process ${blockers ?? 'unknown'}`,
    'See pg_stat_activity for what the blocking process does; pg_terminate_backend ends it.',
  )
}

const IDLE_TRANSACTION_MS = 60_000
const IDLE_TRANSACTIONS = `
  select pid, application_name, extract(epoch from clock_timestamp() - state_change)::int as seconds
  from pg_stat_activity
  where state like 'idle in transaction%'
    and state_change <= clock_timestamp() - $1 * interval '1 millisecond'
  order by state_change limit 5`
const SEES_ALL_SESSIONS = "select pg_has_role('pg_read_all_stats', 'member') as sees_all"

/** Exported for its test, which cannot wait for a minute. */
export async function findIdleTransactions(
  client: pg.Client,
  olderThanMs = IDLE_TRANSACTION_MS,
): Promise<Finding> {
  const check = 'PostgreSQL idle transactions'
  const { rows } = await client.query<{ pid: number; application_name: string; seconds: number }>(
    IDLE_TRANSACTIONS,
    [olderThanMs],
  )
  if (rows.length === 0) {
    const { rows: rights } = await client.query<{ sees_all: boolean }>(SEES_ALL_SESSIONS)
    return ok(check, `none${rights[0]?.sees_all ? '' : " of this role's"} older than a minute`)
  }
  const sessions = rows.map(
    ({ pid, application_name, seconds }) => `${pid} (${application_name || 'no name'}, ${seconds} s)`,
  )
  return warn(
    check,
    `process ${sessions.join(', ')}`,
    'They hold locks and keep dead rows from being removed: end them (pg_terminate_backend), and set idle_in_transaction_session_timeout.',
  )
}

async function findPendingMigrations(client: pg.Client): Promise<Finding> {
  const check = 'Migrations'
  try {
    const pending = await pendingMigrations(client)
    if (pending.length === 0) return ok(check, 'all applied')
    return warn(check, `pending: ${pending.join(', ')}`, 'Run observatory migrate; serve does it at start.')
  } catch (error) {
    if (error instanceof ObservatoryError)
      return fail(check, messageOf(error), 'The service will not start on it.')
    throw error
  }
}
