import { addAbortSignal, type Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type pg from 'pg'
import QueryStream from 'pg-query-stream'
import { cancelQuery } from '../cancel-query.ts'
import { messageOf, ObservatoryError, sqlStateOf } from '../errors.ts'
import { rowsTimeoutOf } from '../pool.ts'

export interface SqlQuery {
  readonly text: string
  readonly values: readonly unknown[]
  /** Rows of one round trip of the cursor, all of which are held at once. Default {@link BATCH_SIZE}. */
  readonly batchSize?: number
}

export const BATCH_SIZE = 1000

/**
 * Runs a query behind a cursor: rows flow as they are read, in constant memory, and a slow reader slows the cursor. Each row is an
 * array of its columns.
 *
 * Aborting `signal`, or destroying the stream, cancels the query in the server and gives the connection back. So does a server that takes longer for rows than the pool allows, with an
 * ObservatoryError ERR_QUERY_TIMEOUT; how long the reader takes does not count.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when no connection is to be had; errors of the query are errors of the stream.
 */
export async function streamRows(pool: pg.Pool, query: SqlQuery, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted()
  const client = await connect(pool)
  if (signal.aborted) {
    client.release()
    throw signal.reason
  }
  const rows: Readable = addAbortSignal(
    signal,
    client.query(new RowStream(client, query, rowsTimeoutOf(pool))),
  )
  finished(rows).then(
    () => client.release(),
    // Thrown away: the query may still run, and a late cancel must not find that of whoever has the connection next.
    (error: Error) => client.release(error),
  )
  return rows
}

/**
 * As {@link streamRows}, of a query that depends on what is read first: both see the same state of the database.
 *
 * @param plan reads, shortly, and says what to ask.
 */
export async function streamSnapshot(
  pool: pg.Pool,
  plan: (client: pg.ClientBase) => Promise<SqlQuery>,
  signal: AbortSignal,
): Promise<Readable> {
  signal.throwIfAborted()
  const client = await connect(pool)
  let rows: Readable
  try {
    await client.query('begin isolation level repeatable read, read only')
    const query = await plan(client)
    signal.throwIfAborted()
    rows = addAbortSignal(signal, client.query(new RowStream(client, query, rowsTimeoutOf(pool))))
  } catch (error) {
    client.release(true)
    throw error
  }
  finished(rows)
    .then(() => client.query('commit'))
    .then(
      () => client.release(),
      (error: Error) => client.release(error),
    )
  return rows
}

/** A query with few rows. With a name, which stands for its text, a connection plans it once. */
export interface SmallQuery extends Omit<SqlQuery, 'batchSize'> {
  readonly name?: string
}

/**
 * All rows of a query that has few, each an array of its columns: in one round trip, where a cursor takes two.
 *
 * @throws as {@link streamRows}, and what the query throws.
 */
export async function readRows<Row extends readonly unknown[]>(
  pool: pg.Pool,
  query: SmallQuery,
  signal: AbortSignal,
): Promise<Row[]> {
  signal.throwIfAborted()
  const client = await connect(pool)
  if (signal.aborted) {
    client.release()
    throw signal.reason
  }
  const ending = new AbortController()
  const end = (reason: unknown) => ending.abort(reason)
  const onAbort = () => end(signal.reason)
  const timeoutMs = rowsTimeoutOf(pool)
  const timer = timeoutMs > 0 ? setTimeout(() => end(tookTooLong(timeoutMs)), timeoutMs) : undefined
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const answer = client.query<Row & unknown[]>({ ...query, values: [...query.values], rowMode: 'array' })
    const { rows } = await Promise.race([answer, cancelled(client, ending.signal)])
    // A late cancel must not find the query of whoever has the connection next.
    client.release(ending.signal.aborted)
    return rows
  } catch (error) {
    client.release(error as Error)
    // The server may say that the query was cancelled before we know that it was asked to.
    throw ending.signal.aborted ? ending.signal.reason : error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Cancels what the client does when the signal is aborted, and then throws its reason, whether the server has answered or not. */
function cancelled(client: pg.PoolClient, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => void cancelQuery(client).then(() => reject(signal.reason)), {
      once: true,
    })
  })
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw new ObservatoryError(
      'ERR_SERVER_UNREACHABLE',
      `No connection to PostgreSQL for a query (${messageOf(error)}): see that it runs, or raise DATABASE_POOL_MAX`,
      { cause: error },
    )
  }
}

class RowStream extends QueryStream {
  readonly #client: pg.PoolClient
  readonly #timeoutMs: number
  /** Runs while the server has been asked for rows. */
  #timer: NodeJS.Timeout | undefined

  constructor(client: pg.PoolClient, { text, values, batchSize = BATCH_SIZE }: SqlQuery, timeoutMs: number) {
    super(text, [...values], { rowMode: 'array', batchSize })
    this.#client = client
    this.#timeoutMs = timeoutMs
  }

  override _read(size: number): void {
    if (this.#timeoutMs > 0)
      this.#timer = setTimeout(() => this.destroy(tookTooLong(this.#timeoutMs)), this.#timeoutMs)
    super._read(size)
  }

  override push(row: unknown): boolean {
    if (this.#timer !== undefined) this.#stopTimer()
    return super.push(row)
  }

  #stopTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Does not close the cursor, which would wait for the server to finish what it is doing: the connection is thrown away. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stopTimer()
    const serverIsDone = this.readableEnded || sqlStateOf(error) !== undefined
    if (serverIsDone) callback(error)
    else cancelQuery(this.#client).then(() => callback(error))
  }
}

function tookTooLong(timeoutMs: number): ObservatoryError {
  return new ObservatoryError(
    'ERR_QUERY_TIMEOUT',
    `PostgreSQL took longer than ${timeoutMs} ms for rows (QUERY_TIMEOUT_MS): ask for a shorter time range, or for less with limit`,
  )
}
