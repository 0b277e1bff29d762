import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CommitLosingProxy {
  /** The database, by way of this proxy. */
  readonly databaseUrl: string
  /** Of the transactions that copy rows from now on, the answers to the COMMIT of the first `count` are lost. */
  loseCommits(count: number): void
  /** How many were. */
  lost(): number
  close(): Promise<void>
}

/** PostgreSQL's answer to COMMIT: CommandComplete with its tag. The server has committed when it sends it. */
const COMMITTED = Buffer.from('COMMIT\0')
const COPY_IN = Buffer.from('from stdin')

/**
 * A proxy before PostgreSQL that lets a COMMIT through and then resets the connection instead of passing its answer on: whoever sent
 * it cannot know what became of it.
 */
export async function createCommitLosingProxy(databaseUrl: string): Promise<CommitLosingProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let toLose = 0
  let lost = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let copies = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data) => {
      copies ||= data.includes(COPY_IN)
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (!copies || !data.includes(COMMITTED)) {
        client.write(data)
        return
      }
      copies = false
      if (toLose === 0) {
        client.write(data)
        return
      }
      toLose -= 1
      lost += 1
      client.resetAndDestroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = new URL(databaseUrl)
  own.port = String((server.address() as AddressInfo).port)
  return {
    databaseUrl: own.href,
    loseCommits: (count) => {
      toLose = count
    },
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
