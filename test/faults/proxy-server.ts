import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Verdict } from './trap.ts'

/** One connection through a proxy. */
export interface Link {
  readonly client: Socket
  readonly upstream: Socket
  /** Nothing is passed on any more, either way, and neither side is told. */
  isHole: boolean
}

/** Decides about each piece of a direction; pieces are passed on in order, one at a time. */
export type Inspect = (chunk: Buffer) => AsyncGenerator<{ readonly bytes: Buffer; readonly verdict: Verdict }>

export interface ProxyServer {
  readonly port: number
  readonly links: ReadonlySet<Link>
  close(): Promise<void>
}

/**
 * A proxy on a free port of 127.0.0.1. `inspect` is asked once for each connection and gives the two directions' inspectors.
 */
export async function startProxy(
  target: { readonly host: string; readonly port: () => number },
  inspect: (link: Link) => { readonly fromClient: Inspect; readonly fromServer: Inspect },
): Promise<ProxyServer> {
  const links = new Set<Link>()
  const server = createServer((client) => {
    const upstream = connect(target.port(), target.host)
    const link: Link = { client, upstream, isHole: false }
    links.add(link)
    const { fromClient, fromServer } = inspect(link)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Messages are passed on one by one: none may wait for the next.
      one.setNoDelay(true)
      one.on('error', () => undefined)
      one.once('close', () => {
        links.delete(link)
        if (!link.isHole) other.destroy()
      })
    }
    void relay(client, upstream, { link, inspect: fromClient })
    void relay(upstream, client, { link, inspect: fromServer })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    links,
    close: async () => {
      for (const { client, upstream } of links) {
        client.destroy()
        upstream.destroy()
      }
      server.close()
      await once(server, 'close')
    },
  }
}

async function relay(
  from: Socket,
  to: Socket,
  { link, inspect }: { readonly link: Link; readonly inspect: Inspect },
): Promise<void> {
  try {
    for await (const chunk of from) {
      // A hole swallows: whoever sends is not told, and its close is still seen.
      if (link.isHole) continue
      for await (const { bytes, verdict } of inspect(chunk)) {
        if (verdict === 'drop') {
          link.client.destroy()
          link.upstream.destroy()
          return
        }
        if (verdict === 'hole') link.isHole = true
        if (link.isHole) break
        if (!to.write(bytes)) await once(to, 'drain')
      }
    }
    if (!link.isHole) to.end()
  } catch {
    if (!link.isHole) to.destroy()
  }
}
