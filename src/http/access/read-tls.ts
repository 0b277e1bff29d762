import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { messageOf, ObservatoryError } from '../../errors.ts'
import type { Settings } from '../../settings.ts'

/** A certificate with those that it is signed by, and its key, as PEM. */
export interface Tls {
  readonly cert: Buffer
  readonly key: Buffer
}

/**
 * The certificate of the settings; undefined where there is none.
 *
 * @throws ObservatoryError ERR_CONFIG_INVALID when one of both is missing, cannot be read, or they do not belong together.
 */
export function readTls({
  httpTlsCertFile: certFile,
  httpTlsKeyFile: keyFile,
}: Pick<Settings, 'httpTlsCertFile' | 'httpTlsKeyFile'>): Tls | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined)
    throw wrong('expected both HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE, or neither')
  try {
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
    createSecureContext(tls)
    return tls
  } catch (error) {
    throw wrong(`HTTP_TLS_CERT_FILE ${certFile}, HTTP_TLS_KEY_FILE ${keyFile}: ${messageOf(error)}`, error)
  }
}

function wrong(what: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError('ERR_CONFIG_INVALID', `TLS cannot be had: ${what}`, { cause })
}
