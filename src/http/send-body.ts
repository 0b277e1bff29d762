import { pipeline } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CountedBody } from './encoders/row-count.ts'
import { noteRows } from './observe-queries.ts'

/** `gzip` in Accept-Encoding, unless it says `gzip;q=0` (RFC 9110, 12.5.3). */
const ACCEPTS_GZIP = /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)/i

/**
 * Sends a body as it is read, compressed where the client asks for it. Each chunk is flushed: the first rows do not wait for more. An error of the body cuts the answer off, compressed or
 * not.
 */
export function sendBody(request: FastifyRequest, reply: FastifyReply, body: CountedBody): FastifyReply {
  noteRows(request, body)
  reply.header('vary', 'accept, accept-encoding')
  if (!ACCEPTS_GZIP.test(request.headers['accept-encoding'] ?? '')) return reply.send(body)
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
  // An error destroys both.
  pipeline(body, gzip, () => undefined)
  return reply.header('content-encoding', 'gzip').send(gzip)
}

/** Sends a body as it is read, and as it is. */
export function sendPlain(request: FastifyRequest, reply: FastifyReply, body: CountedBody): FastifyReply {
  noteRows(request, body)
  return reply.header('vary', 'accept').send(body)
}
