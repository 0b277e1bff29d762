import type { FastifyRequest } from 'fastify'

/** Whether the client has what is tagged so already, by its If-None-Match: compared weakly (RFC 9110, 13.1.2). `etag` has no comma in it. */
export function isKnownToClient({ headers }: FastifyRequest, etag: string): boolean {
  const theirs = (headers['if-none-match'] ?? '').split(',').map((each) => each.trim())
  return theirs.includes('*') || theirs.some((each) => opaque(each) === opaque(etag))
}

const opaque = (etag: string): string => etag.replace(/^W\//, '')
