import pg from 'pg'

/** A cancel that took longer is given up: a connection of a pool whose reader went away is back within a second. */
const CANCEL_TIMEOUT_MS = 900

/** What pg's client and connection have, and their types leave out. */
interface ConnectedClient {
  readonly host: string
  readonly port: number
  readonly ssl: unknown
  readonly processID: number
  readonly secretKey: number
}
interface CancelConnection extends pg.Connection {
  connect(portOrPath: number | string, host: string): void
  requestSsl(): void
  cancel(processID: number, secretKey: number): void
}

/**
 * Ends the statement that a client's server runs, by a CancelRequest (PostgreSQL documentation, 55.2.8 "Canceling Requests in
 * Progress") over a connection of its own, encrypted as the client's is. That works where no connection is to be had any more, for it
 * takes none of `max_connections`, and through pgbouncer, which hands out process ids that only it knows.
 *
 * Resolves when the server has done so, and also when it could not be asked. A cancel that was given up may still arrive: the caller
 * must not use the client again.
 */
export function cancelQuery(client: pg.Client): Promise<void> {
  const { host, port, ssl, processID, secretKey } = client as unknown as ConnectedClient
  const connection = new pg.Connection({ ssl } as pg.ConnectionConfig) as CancelConnection
  const cancel = () => connection.cancel(processID, secretKey)
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      connection.stream.destroy()
      resolve()
    }
    const timer = setTimeout(done, CANCEL_TIMEOUT_MS)
    connection.on('error', done)
    // The server answers nothing: it closes the connection once it has sent the signal.
    connection.once('end', done)
    connection.once('connect', () => (ssl ? connection.requestSsl() : cancel()))
    connection.once('sslconnect', cancel)
    connection.connect(host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : port, host)
  })
}
