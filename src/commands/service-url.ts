import { ObservatoryError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { reachableHost } from './reachable-host.ts'

/** What leads to a service on this machine, when nobody says where one is. */
export type ServiceAddress = Pick<Settings, 'httpHost' | 'httpPort' | 'httpTlsCertFile'>

/** The settings that commands take to find a service and to be let in. */
export const SERVICE_SETTINGS = ['httpHost', 'httpPort', 'httpTlsCertFile', 'accessToken'] as const

/**
 * The base of a service's URLs: it ends in a slash.
 *
 * @param written by `--url`; without it the service is the one of the settings.
 * @throws ObservatoryError ERR_USAGE for what is no address of a service.
 */
export function serviceUrl(
  written: string | undefined,
  { httpHost, httpPort, httpTlsCertFile }: ServiceAddress,
): URL {
  if (written === undefined) {
    if (httpPort === 0) throw usage('HTTP_PORT=0 is any free port: say which it is')
    const scheme = httpTlsCertFile === undefined ? 'http' : 'https'
    return new URL(`${scheme}://${reachableHost(httpHost)}:${httpPort}/`)
  }
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usage('it must begin with http:// or https://')
  if (url.username !== '' || url.password !== '') throw usage('it cannot have a user name or a password')
  const base = new URL(url.origin)
  base.pathname = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`
  return base
}

function usage(what: string): ObservatoryError {
  return new ObservatoryError('ERR_USAGE', `--url: ${what}, such as http://127.0.0.1:4318`)
}
