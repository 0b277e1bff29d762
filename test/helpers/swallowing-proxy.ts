import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SwallowingProxy {
  /** The database, by way of this proxy. */
  readonly databaseUrl: string
  /**
   * From the next message of a client that holds `text` on, its connection passes nothing on any more, in neither direction, and neither side learns
   * of it, not even when the other one closes: as a network that drops packets. `isPassed`: that message still gets through.
   */
  swallowFrom(text: string, isPassed: boolean): void
  /** Connections that pass nothing on. */
  swallowed(): number
  close(): Promise<void>
}

/** A proxy before PostgreSQL, on a free port of 127.0.0.1. */
export async function createSwallowingProxy(databaseUrl: string): Promise<SwallowingProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let trigger: { readonly text: Buffer; readonly isPassed: boolean } | undefined
  let swallowed = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true })
    let isSwallowing = false
    const pass = (from: Socket, to: Socket) => {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('end', () => isSwallowing || to.end())
      from.on('close', () => {
        sockets.delete(from)
        if (!isSwallowing) to.destroy()
      })
      return (data: Buffer) => isSwallowing || to.write(data)
    }
    const [toUpstream, toClient] = [pass(client, upstream), pass(upstream, client)]
    upstream.on('data', toClient)
    client.on('data', (data) => {
      const { text, isPassed = false } = trigger ?? {}
      if (text === undefined || !data.includes(text)) {
        toUpstream(data)
        return
      }
      trigger = undefined
      swallowed += 1
      if (isPassed) toUpstream(data)
      isSwallowing = true
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = new URL(databaseUrl)
  own.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    databaseUrl: own.href,
    swallowFrom: (text, isPassed) => {
      trigger = { text: Buffer.from(text), isPassed }
    },
    swallowed: () => swallowed,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
