import pg from 'pg'
import {
  applySession,
  CONNECT_TIMEOUT_MS,
  type ConnectionOptions,
  connectionConfig,
  queryWithin,
} from './postgres-connection.ts'

export interface PoolOptions extends ConnectionOptions {
  /** Most connections of this pool. */
  readonly max: number
  /** How long a query may take for its first rows, and for the next ones, when its rows are streamed; 0, the default, is no limit. */
  readonly rowsTimeoutMs?: number
  /** Told of connections that were lost, idle or in use. The pool replaces them by itself. */
  readonly onError: (error: Error) => void
}

const IDLE_TIMEOUT_MS = 60_000
/** A session's memory grows with every partition it has touched: an hour is enough. */
const MAX_LIFETIME_SECONDS = 3600

/**
 * Creates a pool. Connections are made on first use, so this neither waits for nor fails on a server that is
 * away. Waiting for a free connection ends after {@link CONNECT_TIMEOUT_MS}, too. The caller ends the pool.
 *
 * Values keep pg's types: `int8` and `numeric` arrive as strings, because neither fits a JavaScript number;
 * `timestamptz` as `Date`, which cuts microseconds, so whoever needs them selects the `bigint` nanoseconds.
 * A query that wants another type says so in its own `types`; no parser is set globally.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const { Client, ...config } = connectionConfig(options)
  const pool = new pg.Pool({
    ...config,
    // Kept with the pool for rowsTimeoutOf.
    ...{ rowsTimeoutMs: options.rowsTimeoutMs ?? 0 },
    // The types of pg say that a client takes no arguments; the pool gives it these very options.
    Client: Client as new () => pg.Client,
    max: options.max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    onConnect: (client) => applySession(client, options),
  })
  // Without a listener on the pool, an idle connection that is lost ends the process; without one on the
  // client, so does one that is lost while checked out, for the pool takes its own listener off for that
  // time. Whoever holds the client learns of it by the error of its query.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => {
    client.once('error', options.onError)
    client.on('error', () => undefined)
  })
  return pool
}

/** Milliseconds that rows of a query of this pool may take to come; 0 is no limit. */
export function rowsTimeoutOf(pool: pg.Pool): number {
  return (pool.options as { readonly rowsTimeoutMs?: number }).rowsTimeoutMs ?? 0
}

export interface PoolStats {
  readonly total: number
  readonly idle: number
  /** Callers that wait for a connection. */
  readonly waiting: number
  readonly max: number
}

/** Counts of a pool's connections, now. */
export function poolStats(pool: pg.Pool): PoolStats {
  const { totalCount: total, idleCount: idle, waitingCount: waiting } = pool
  return { total, idle, waiting, max: pool.options.max }
}

export type Health =
  | { readonly ok: true; readonly latencyMs: number }
  | { readonly ok: false; readonly error: unknown }

const HEALTH_TIMEOUT_MS = 5000

/** Whether PostgreSQL answers a query through the pool, and in how many milliseconds. Never throws. */
export async function checkHealth(pool: pg.Pool, timeoutMs = HEALTH_TIMEOUT_MS): Promise<Health> {
  const startedAt = performance.now()
  try {
    await queryWithin(pool, timeoutMs, 'select 1')
    return { ok: true, latencyMs: performance.now() - startedAt }
  } catch (error) {
    return { ok: false, error }
  }
}
