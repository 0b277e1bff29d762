import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Knows the connections over which no request has come yet. Node.js takes them for busy when a server closes, and waits for them: clients make some in advance (undici does, when a request is
 * aborted).
 *
 * @returns what closes them.
 */
export function watchSilentConnections(server: Server): () => void {
  const silent = new Set<Socket>()
  server.on('connection', (socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  server.on('request', ({ socket }) => silent.delete(socket))
  return () => {
    for (const socket of silent) socket.destroy()
  }
}
