import { ObservatoryError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { Settings } from '../../settings.ts'
import { AccessTokens } from './access-tokens.ts'
import type { GuardOptions } from './guard-routes.ts'
import { isLoopback } from './host-names.ts'
import { readTls, type Tls } from './read-tls.ts'

/** What stands before the routes. */
export interface Guard extends GuardOptions {
  /** Connections at once. */
  readonly maxConnections: number
  /** Without it, HTTP is not encrypted. */
  readonly tls: Tls | undefined
  /** The certificate as it is on disk now. @throws ObservatoryError ERR_CONFIG_INVALID as at the start. */
  readTls(): Tls | undefined
}

/**
 * Who may come in, by the settings.
 *
 * @throws ObservatoryError ERR_CONFIG_INVALID where anybody could come in, or TLS cannot be had.
 */
export function createGuard(settings: Settings, logger: Logger): Guard {
  const { httpHost: host, httpAllowedHosts, httpWithoutTokens } = settings
  const tokens = new AccessTokens(settings.accessTokens)
  if (tokens.areNone && !isLoopback(host)) {
    if (httpWithoutTokens === 'loopback')
      throw new ObservatoryError(
        'ERR_CONFIG_INVALID',
        `HTTP_HOST=${host} lets other machines in, and there are no tokens. Set ACCESS_TOKENS (or ACCESS_TOKENS_FILE), such as admin:$(openssl rand -hex 32); or HTTP_WITHOUT_TOKENS=anywhere, where something in front decides who may ask`,
      )
    logger.warn(
      { host },
      'whoever reaches this address may read everything and send anything: HTTP_WITHOUT_TOKENS=anywhere',
    )
  }
  return {
    tokens,
    host,
    allowedHosts: (httpAllowedHosts ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ''),
    requestsPerSecond: settings.httpRateLimit,
    maxConnections: settings.httpMaxConnections,
    tls: readTls(settings),
    readTls: () => readTls(settings),
  }
}
