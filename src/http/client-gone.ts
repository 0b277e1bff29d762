import type { FastifyReply } from 'fastify'

/** Aborted when the client goes away, or has all of its answer: then its query ends in the server. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(new Error('The client went away')))
  return gone.signal
}
