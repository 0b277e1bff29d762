import { Redis, type RedisOptions } from 'ioredis'

/** A primary that Sentinel names: `redis+sentinel://user:password@host:26379,host2:26379/name/0`. */
export interface SentinelUrl {
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  readonly name: string
  readonly db: number
  readonly sentinelUsername: string | undefined
  readonly sentinelPassword: string | undefined
}

const SENTINEL_URL = /^redis(s?)\+sentinel:\/\/(?:([^@/]*)@)?([^/?]+)\/([^/?]+)(?:\/(\d+))?(?:\?(.*))?$/
const SENTINEL_PORT = 26_379
const SENTINEL_PARAMETERS = new Set(['sentinelUsername', 'sentinelPassword'])

/**
 * Reads a `redis+sentinel://` or `rediss+sentinel://` URL (TLS to the sentinels and to the servers). User and password are the servers'; those of the
 * sentinels are parameters.
 *
 * @returns undefined when it is no such URL, or a word of what is wrong with it.
 */
export function parseSentinelUrl(url: string): SentinelUrl | string | undefined {
  if (!/^rediss?\+sentinel:/.test(url)) return undefined
  const [, tls, user, hosts = '', name = '', db = '0', query = ''] = SENTINEL_URL.exec(url) ?? []
  if (name === '') return 'lacks the name of the primary'
  const sentinels = hosts.split(',').map(parseHost)
  if (!sentinels.every((sentinel) => sentinel !== undefined)) return 'has a host or port that is none'
  const parameters = new URLSearchParams(query)
  const unknown = [...parameters.keys()].find((each) => !SENTINEL_PARAMETERS.has(each))
  if (unknown !== undefined) return `has the unknown parameter ${JSON.stringify(unknown)}`
  try {
    const [username, password] = (user ?? '').split(':').map(decodeURIComponent)
    return {
      tls: tls === 's',
      username: username || undefined,
      password,
      sentinels,
      name: decodeURIComponent(name),
      db: Number(db),
      sentinelUsername: parameters.get('sentinelUsername') ?? undefined,
      sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
    }
  } catch {
    return 'has a % that is no escape'
  }
}

function parseHost(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(text)
  const port = Number(match?.[2] ?? SENTINEL_PORT)
  return match?.[1] === undefined || port > 65_535
    ? undefined
    : { host: match[1].replace(/^\[|\]$/g, ''), port }
}

/** A client for any URL that REDIS_URL may be. With Sentinel it follows the primary, also when a failover leaves the old one up. */
export function openRedisUrl(url: string, options: RedisOptions): Redis {
  const sentinel = parseSentinelUrl(url)
  if (sentinel === undefined) return new Redis(url, options)
  if (typeof sentinel === 'string') throw new TypeError(`REDIS_URL ${sentinel}`)
  const { tls, username, password, sentinelUsername, sentinelPassword, sentinels, name, db } = sentinel
  return new Redis({
    ...options,
    sentinels: [...sentinels],
    name,
    db,
    failoverDetector: true,
    ...(tls && { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    // Between two rounds through all sentinels; the client itself paces what comes after.
    sentinelRetryStrategy: (attempt) =>
      options.retryStrategy === null ? null : Math.min(attempt * 200, 2000),
  })
}

/** `Redis at cache.example:6379`: where a URL leads, for messages. Without user or password. */
export function describeRedis(url: string): string {
  if (url.startsWith('/')) return `Redis at ${url.split('?')[0]}`
  const sentinel = parseSentinelUrl(url)
  if (typeof sentinel === 'object') {
    return `Redis ${sentinel.name} by Sentinel at ${sentinel.sentinels.map(({ host, port }) => `${host}:${port}`).join(', ')}`
  }
  const { hostname, port } = new URL(url)
  return `Redis at ${hostname || 'localhost'}:${port || 6379}`
}
