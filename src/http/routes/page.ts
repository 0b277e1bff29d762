import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isKnownToClient } from '../is-known-to-client.ts'
import { type PageFile, readPageFiles } from '../page-files.ts'

/** The page that is answered at `/`. */
const INDEX = 'page/index.html'

/** Nothing runs, loads or is sent but what comes from here; and no text becomes markup, whatever a script does. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  // Kept by the browser, and asked for each time whether it is still that: a new version is seen at once.
  'cache-control': 'no-cache',
} as const

/** The page for people, and its files: a route for each that is there at start, so that no path of a request reaches the file system. */
export function pageRoutes(app: FastifyInstance, files = readPageFiles()): void {
  for (const [name, file] of files) {
    app.get(name === INDEX ? '/' : `/page/${name}`, (request, reply) => send(request, reply, file))
  }
}

function send(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.headers(HEADERS).header('etag', file.etag)
  if (isKnownToClient(request, file.etag)) return reply.code(304).send()
  return reply.type(file.contentType).send(file.body)
}
