import type pg from 'pg'
import { cancelQuery } from '../cancel-query.ts'
import { cutConnection } from '../postgres-connection.ts'

/**
 * Runs `work` with a connection of a pool that is closed afterwards, and with it whatever the session had set and locked. Aborting ends what runs on it in the
 * server: that would notice a closed connection alone ten seconds later.
 *
 * @throws what `work` does, and the `signal`'s reason.
 */
export async function withCancellableClient<T>(
  pool: pg.Pool,
  signal: AbortSignal,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let cancelled: Promise<void> | undefined
  const end = () => {
    cancelled = cancelQuery(client).then(() => {
      // Whoever is told of lost connections is not told of one that is ended on purpose.
      client.removeAllListeners('error').on('error', () => undefined)
      cutConnection(client, 'What ran on this connection was ended')
    })
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    signal.throwIfAborted()
    const result = await work(client)
    // Whoever comes next need not wait for the server to see that the connection is closed.
    await client.query('select pg_advisory_unlock_all()').catch(() => undefined)
    return result
  } catch (error) {
    // Else it would be that the connection is gone.
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
    await cancelled
    client.release(true)
  }
}
