import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type pg from 'pg'
import QueryStream from 'pg-query-stream'

export interface SqlQuery {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Rows of one round trip of the cursor. */
const BATCH_SIZE = 1000

/**
 * Runs a query behind a cursor: rows flow as they are read, in constant memory, and a slow reader slows the cursor. Each row is an
 * array of its columns.
 *
 * Aborting `signal`, or destroying the stream, cancels the query in the server and gives the connection back.
 *
 * @throws when no connection is to be had; errors of the query are errors of the stream.
 */
export async function streamRows(pool: pg.Pool, query: SqlQuery, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted()
  const client = await pool.connect()
  const cursor = new QueryStream(query.text, [...query.values], { rowMode: 'array', batchSize: BATCH_SIZE })
  const rows: Readable = client.query(cursor)
  let cancelled: Promise<unknown> | undefined
  // Closing a cursor waits for the server to finish what it is doing: a cancel from another connection ends that.
  const cancel = () => {
    const { processID } = client as pg.PoolClient & { processID: number }
    cancelled = pool.query('select pg_cancel_backend($1)', [processID]).catch(() => undefined)
    rows.destroy(signal.reason)
  }
  const ignoreAbort = () => signal.removeEventListener('abort', cancel)
  signal.addEventListener('abort', cancel, { once: true })
  rows.once('end', ignoreAbort)
  finished(rows)
    .catch((error: Error) => error)
    .then(async (error) => {
      ignoreAbort()
      // A cancel may arrive late: it must not find the query of whoever has the connection next.
      await cancelled
      client.release(error ?? cancelled !== undefined)
    })
  return rows
}
