import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePort } from './free-port.ts'

export interface TcpProxy {
  readonly port: number
  /** Connections accepted so far. */
  accepted(): number
  /** Passes nothing on and closes nothing until {@link thaw}, as a network that drops packets. */
  freeze(): void
  /** Passes on again, first what was held back. */
  thaw(): void
  /** Resets every connection; new ones are accepted. */
  cut(): void
  /** Resets every connection and frees the port. */
  close(): Promise<void>
}

interface Connection {
  readonly inbound: Socket
  readonly outbound: Socket
}

/** A proxy on a free port of 127.0.0.1, or on `port`, before the server that `url` names. */
export async function createTcpProxy(url: string, port?: number): Promise<TcpProxy> {
  const target = new URL(url)
  const connections = new Set<Connection>()
  let accepted = 0
  let frozen = false
  const server = createServer((inbound) => {
    const connection = { inbound, outbound: connect(Number(target.port), target.hostname) }
    accepted += 1
    connections.add(connection)
    endTogether(connection, () => connections.delete(connection))
    if (!frozen) join(connection)
  })
  server.listen(port ?? (await freePort()), '127.0.0.1')
  await once(server, 'listening')
  const cut = () => connections.forEach(({ inbound }) => void inbound.resetAndDestroy())
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    freeze: () => {
      frozen = true
      connections.forEach(part)
    },
    thaw: () => {
      frozen = false
      connections.forEach(join)
    },
    cut,
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

function join({ inbound, outbound }: Connection): void {
  inbound.pipe(outbound)
  outbound.pipe(inbound)
}

function part({ inbound, outbound }: Connection): void {
  inbound.unpipe(outbound).pause()
  outbound.unpipe(inbound).pause()
}

function endTogether({ inbound, outbound }: Connection, ended: () => void): void {
  for (const [one, other] of [
    [inbound, outbound],
    [outbound, inbound],
  ] as const) {
    one.on('error', () => undefined)
    one.on('close', () => {
      other.destroy()
      ended()
    })
  }
}
