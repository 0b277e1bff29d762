import pg from 'pg'
import { ObservatoryError } from './errors.ts'
import { PreferTlsClient, parseDatabaseUrl, readPostgresTls } from './postgres-tls.ts'

/** What a session is set to. Times in milliseconds; 0 is no limit. */
export interface SessionSettings {
  /** Default 0: a COPY takes as long as it takes. */
  readonly statementTimeoutMs?: number
  /** How long a statement waits for a lock. Default 10,000. */
  readonly lockTimeoutMs?: number
  /** How long a transaction may idle before the server ends it and frees its locks. Default 60,000. */
  readonly idleInTransactionTimeoutMs?: number
}

export interface ConnectionOptions extends SessionSettings {
  /**
   * `postgresql://…`. Of its parameters `host`, `port`, `user`, `password`, `options`, `channel_binding`
   * and the TLS ones of {@link readPostgresTls} are used, others ignored.
   */
  readonly databaseUrl: string
  /** Names the session in `pg_stat_activity`: at most 63 bytes, the server cuts the rest. */
  readonly applicationName: string
}

/** How long connecting may take, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 10_000
const SESSION_TIMEOUT_MS = 10_000
const KEEP_ALIVE_DELAY_MS = 10_000

/** pg's own options, and the class of client that keeps what the URL says about TLS. */
export interface ConnectionConfig extends pg.ClientConfig {
  readonly Client: typeof pg.Client
}

/**
 * What pg needs to connect. Nothing in the URL can change a session's name, timeouts or settings.
 * @throws ObservatoryError ERR_CONFIG_INVALID for TLS parameters that cannot be followed.
 */
export function connectionConfig(options: ConnectionOptions): ConnectionConfig {
  const { databaseUrl } = options
  const { ssl, optional } = readPostgresTls(databaseUrl)
  const { host, port, user, password, database, parameters } = parseDatabaseUrl(databaseUrl)
  return {
    Client: optional ? PreferTlsClient : pg.Client,
    host,
    port,
    user,
    // Without one pg would ask ~/.pgpass, then fail in the middle of SASL with an error that has no code.
    password: password ?? (() => refuseWithoutPassword(databaseUrl)),
    database,
    ssl,
    options: parameters.get('options') ?? undefined,
    enableChannelBinding: ssl !== false && parameters.get('channel_binding') === 'require',
    application_name: options.applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
  }
}

function refuseWithoutPassword(databaseUrl: string): never {
  throw new ObservatoryError(
    'ERR_CONFIG_INVALID',
    `${describePostgres(databaseUrl)} asks for a password and DATABASE_URL has none; put it there`,
  )
}

/** `PostgreSQL at db.example:5432/observatory`: where a URL leads, for messages. Without user or password. */
export function describePostgres(databaseUrl: string): string {
  const { host, port, database } = parseDatabaseUrl(databaseUrl)
  return `PostgreSQL at ${host}:${port}/${database ?? ''}`
}

/**
 * Set by a query and not as startup parameters, which pgbouncer refuses (it must pool by session, since
 * settings and advisory locks belong to one). No setting of the server, database or role that would change
 * a guarantee or the form of a value gets past this list.
 */
function sessionSettings(options: SessionSettings): Readonly<Record<string, string>> {
  return {
    // COMMIT returns once the transaction is on disk: only then is anything acknowledged.
    synchronous_commit: 'on',
    // A look at the ledger sees what was committed before it, whatever was begun before that.
    default_transaction_isolation: 'read committed',
    statement_timeout: String(options.statementTimeoutMs ?? 0),
    lock_timeout: String(options.lockTimeoutMs ?? 10_000),
    idle_in_transaction_session_timeout: String(options.idleInTransactionTimeoutMs ?? 60_000),
    // The server notices after 30 + 3 × 10 s that our machine is gone, and frees the locks it held;
    tcp_keepalives_idle: '30',
    tcp_keepalives_interval: '10',
    tcp_keepalives_count: '3',
    tcp_user_timeout: '60000',
    // and within 10 s of a running statement, or of waiting for a lock, that our process is.
    client_connection_check_interval: '10000',
    client_min_messages: 'warning',
    TimeZone: 'UTC',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'postgres',
    extra_float_digits: '1',
    bytea_output: 'hex',
  }
}

/** `remote_apply` waits for more than `on`, so it stays. PostgreSQL for Windows cannot check connections. */
const APPLY_SESSION = `
  select set_config(name, value, false)
  from unnest($1::text[], $2::text[]) as setting (name, value)
  where not (name = 'synchronous_commit' and current_setting(name) = 'remote_apply')
    and not (name = 'client_connection_check_interval' and version() ~* 'visual c|msvc|mingw')`

/** Sets a new session. Has its own time limit: those of connecting end when the connection stands. */
export async function applySession(client: pg.ClientBase, options: SessionSettings): Promise<void> {
  const settings = sessionSettings(options)
  await queryWithin(client, SESSION_TIMEOUT_MS, APPLY_SESSION, [
    Object.keys(settings),
    Object.values(settings),
  ])
}

/**
 * Runs a query that fails after `timeoutMs` even if the server is silent. A pool then discards the
 * connection; a caller with its own client must.
 */
export function queryWithin(
  queryable: Pick<pg.ClientBase, 'query'>,
  timeoutMs: number,
  ...[text, values = []]: [text: string, values?: readonly unknown[]]
): Promise<pg.QueryResult> {
  // pg reads `query_timeout` of a single query, its types know it only for the whole connection.
  const query = { text, values, query_timeout: timeoutMs } as unknown as pg.QueryConfig
  return queryable.query(query)
}

/** Closes a connection at once: every query on it, a COPY too, fails as with any lost connection. Its pool is still to be told. */
export function cutConnection(client: pg.ClientBase, reason: string): void {
  const { connection } = client as pg.ClientBase & { connection: pg.Connection }
  connection.stream.destroy(new Error(reason))
}

/**
 * Opens one connection outside any pool, its session set. The caller ends it.
 * @throws whatever pg throws: a server that is away is ECONNREFUSED.
 */
export async function openClient(options: ConnectionOptions): Promise<pg.Client> {
  const client = createClient(options, CONNECT_TIMEOUT_MS)
  try {
    await client.connect()
    await applySession(client, options)
    return client
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }
}

/** A client that is not connected yet and that no lost connection makes end the process. */
export function createClient(options: ConnectionOptions, connectionTimeoutMillis: number): pg.Client {
  const { Client, ...config } = connectionConfig(options)
  const client = new Client({ ...config, connectionTimeoutMillis })
  // The next query on a lost connection fails and says so.
  client.on('error', () => undefined)
  return client
}
