import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { codeOf, messageOf, ObservatoryError, sqlStateOf } from '../errors.ts'
import { isRunning } from '../process-identity.ts'
import { postgresFiles } from './postgres-cluster.ts'
import { EMBEDDED_POSTGRES_USER, readPassword } from './postgres-password.ts'
import type { RunningServer } from './servers-file.ts'

/** A start after a crash replays up to max_wal_size of WAL before the server lets anybody in. */
const RECOVERY_TIMEOUT_MS = 300_000
/** For a server that runs and says nothing. */
const SILENCE_TIMEOUT_MS = 30_000
/**
 * For a refused password. It may be another server that refuses, which was faster to the port: then ours has not noticed yet, and
 * ends once it has.
 */
const REFUSAL_TIMEOUT_MS = 3000
const CONNECT_TIMEOUT_MS = 5000
const POLL_MS = 25

/**
 * Waits until the PostgreSQL of `dataDir` lets us in and has our database, which is made if need be. Undefined when the
 * server ended instead.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it runs but does not let us in.
 */
export async function untilPostgresAnswers(
  dataDir: string,
  server: RunningServer,
): Promise<RunningServer | undefined> {
  const begun = Date.now()
  const password = await readPassword(postgresFiles(dataDir).password)
  for (;;) {
    const failure = await tryDatabase(dataDir, server.port, password)
    if (failure === undefined) return server
    if (!isRunning(server)) return undefined
    if (Date.now() - begun > patienceMs(sqlStateOf(failure))) throw notAnswering(dataDir, server, failure)
    await sleep(POLL_MS)
  }
}

/** 57P03 cannot_connect_now: it is starting, recovering or stopping. 28P01 invalid_password. */
function patienceMs(sqlState: string | undefined): number {
  if (sqlState === '57P03') return RECOVERY_TIMEOUT_MS
  return sqlState === '28P01' ? REFUSAL_TIMEOUT_MS : SILENCE_TIMEOUT_MS
}

/** Undefined when the server on `port` is that of `dataDir` and has our database; else what is in the way. */
async function tryDatabase(dataDir: string, port: number, password: string | undefined): Promise<unknown> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: EMBEDDED_POSTGRES_USER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: SILENCE_TIMEOUT_MS,
    application_name: 'observatory embedded',
  })
  // A connection that breaks rejects the call that waits for it; the event says nothing more.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ folder: string; made: boolean }>(
      `select current_setting('data_directory') as folder,
         exists (select from pg_database where datname = $1) as made`,
      [EMBEDDED_POSTGRES_USER],
    )
    if (rows[0]?.folder !== postgresFiles(dataDir).cluster)
      return new Error(`another server has port ${port}`)
    if (!rows[0].made) await client.query(`create database ${EMBEDDED_POSTGRES_USER}`)
    return undefined
  } catch (error) {
    return error
  } finally {
    await client.end().catch(() => undefined)
  }
}

function notAnswering(dataDir: string, server: RunningServer, cause: unknown): ObservatoryError {
  const { log } = postgresFiles(dataDir)
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded PostgreSQL (process ${server.pid}, port ${server.port}) runs but does not let us in: ` +
      `${messageOf(cause) || codeOf(cause)}. See ${log}; if it hangs, end it: kill -QUIT ${server.pid}`,
    { cause },
  )
}
