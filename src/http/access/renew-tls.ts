import { Server as TlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../logger.ts'
import type { Tls } from './read-tls.ts'

export interface TlsRenewal {
  /** What the server began with. */
  readonly tls: Tls
  /** Reads the files again. @throws when they cannot be read, or do not belong together. */
  readonly read: () => Tls | undefined
  readonly logger: Logger
  /** Between two looks at the files. */
  readonly intervalMs?: number
}

/** Certificates live for days: a new one may wait a minute. */
const INTERVAL_MS = 60_000

/**
 * Takes a certificate that has changed on disk for the connections that come from then on. One that is no good, such as one whose key is not written yet, is told and
 * looked at again; the old one stays meanwhile.
 */
export function renewTls(app: FastifyInstance, options: TlsRenewal): void {
  const { read, logger, intervalMs = INTERVAL_MS } = options
  const server: unknown = app.server
  if (!(server instanceof TlsServer)) return
  let { tls } = options
  const look = (): void => {
    try {
      const next = read()
      if (next === undefined || (next.cert.equals(tls.cert) && next.key.equals(tls.key))) return
      server.setSecureContext(next)
      tls = next
      logger.info('the certificate has changed: new connections get the new one')
    } catch (error) {
      logger.warn({ err: error }, 'the certificate cannot be read again; the old one stays')
    }
  }
  const timer = setInterval(look, intervalMs)
  timer.unref()
  app.addHook('onClose', async () => clearInterval(timer))
}
