import { isIP } from 'node:net'

/** Whether a server that listens on this address is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  if (isIP(name) === 4) return name.startsWith('127.')
  return name === '::1' || name === 'localhost' || name.endsWith('.localhost')
}

/** The name in a Host header (RFC 9110, 7.2), without its port; undefined where there is none. */
export function hostNameOf(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::\d*)?$/i.exec(header ?? '')?.[1]?.toLowerCase()
}
