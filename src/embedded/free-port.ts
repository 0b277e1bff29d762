import { once } from 'node:events'
import { createServer } from 'node:net'
import { ObservatoryError } from '../errors.ts'

const PORTS_TRIED = 100

/**
 * The first port from `first` on that nothing on 127.0.0.1 listens on. Another program may still take it before our server
 * does: the server's own failure to bind decides.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when a hundred in a row are taken.
 */
export async function findFreePort(first: number): Promise<number> {
  const last = Math.min(first + PORTS_TRIED, 65_536)
  for (let port = first; port < last; port += 1) {
    if (await isFree(port)) return port
  }
  throw new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `No free port on 127.0.0.1 between ${first} and ${last - 1} for an embedded server. Stop what listens there`,
  )
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
