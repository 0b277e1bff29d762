import { messageOf, ObservatoryError } from './errors.ts'
import type { Logger } from './logger.ts'
import { describeRedis, openRedisUrl } from './redis-url.ts'
import { isTlsRefusal, waitForServer } from './wait-for-server.ts'

export interface RedisVersion {
  /** The version of Redis it is compatible with: 7.2.4 for every Valkey. Undefined when INFO is forbidden. */
  readonly redisVersion: string | undefined
  /** What it calls itself: `Redis 7.0.15`, `Valkey 8.1.0`. */
  readonly label: string
}

export interface WaitForRedisOptions {
  readonly url: string
  /** Milliseconds until giving up; 0 tries once. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Told once, if the server does not answer at once. */
  readonly log?: Pick<Logger, 'info'>
}

/**
 * Waits until Redis answers and has loaded its data, and checks its version.
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when time is up, ERR_CONFIG_INVALID when it refuses the
 * password, the database number or TLS (at once), ERR_SERVER_UNSUITABLE when it is too old.
 */
export async function waitForRedis(options: WaitForRedisOptions): Promise<RedisVersion> {
  const server = describeRedis(options.url)
  return waitForServer({
    server,
    setting: 'REDIS_URL',
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    log: options.log,
    isRefusal: (error) => isReplyRefusal(error) || isTlsRefusal(error) || isOtherProtocol(error),
    attempt: async (timeoutMs) => {
      const version = await askVersion(options.url, timeoutMs, options.signal)
      assertSuitableRedis(server, version)
      return version
    },
  })
}

/**
 * The first word of an error reply is its code. NOAUTH: Redis wants a password; WRONGPASS: another one;
 * NOPERM: this user may do nothing here; DENIED: protected mode. A database number that Redis does not
 * have is a plain ERR, as is a full server, which passes.
 */
function isReplyRefusal(error: unknown): boolean {
  return /^(NOAUTH|WRONGPASS|NOPERM|DENIED|ERR (invalid )?DB index) /i.test(messageOf(error))
}

/** Something else than Redis answers there: ioredis could not read the first byte. */
function isOtherProtocol(error: unknown): boolean {
  return messageOf(error).startsWith('Unknown RESP type')
}

async function askVersion(
  url: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<RedisVersion> {
  const redis = openRedisUrl(url, {
    lazyConnect: true,
    connectionName: 'observatory:start:commands',
    connectTimeout: timeoutMs,
    // How long disconnect() waits for the other side: it may be silent.
    disconnectTimeout: 100,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    maxLoadingRetryTime: LOADING_PAUSE_MAX_MS,
  })
  const problems: Error[] = []
  redis.on('error', (error) => problems.push(error))
  const cut = (): void => redis.disconnect()
  const timer = setTimeout(cut, timeoutMs)
  signal?.addEventListener('abort', cut)
  try {
    await redis.connect()
    const info = await redis.info('server').catch(allowForbidden)
    // SELECT failed: ioredis says so and stays on database 0.
    if (problems[0] !== undefined) throw problems[0]
    return readVersion(info)
  } catch (error) {
    // "Connection is closed." says less than the error event before it.
    throw problems[0] ?? error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cut)
    cut()
  }
}

const LOADING_PAUSE_MAX_MS = 250

function allowForbidden(error: unknown): string {
  if (messageOf(error).startsWith('NOPERM')) return ''
  throw error
}

/** Reads the reply of INFO SERVER. */
export function readVersion(info: string): RedisVersion {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const redisVersion = field('redis_version')
  const valkeyVersion = field('valkey_version')
  const label =
    valkeyVersion === undefined ? `Redis ${redisVersion ?? '(version not told)'}` : `Valkey ${valkeyVersion}`
  return { redisVersion, label }
}

/** XAUTOCLAIM that tells deleted entries, and NOGROUP for blocked readers, came with 7.0. */
const OLDEST_SUITABLE_MAJOR = 7

/** @throws ObservatoryError ERR_SERVER_UNSUITABLE before Redis 7.0. An untold version passes. */
export function assertSuitableRedis(server: string, { redisVersion, label }: RedisVersion): void {
  if (redisVersion === undefined || Number.parseInt(redisVersion, 10) >= OLDEST_SUITABLE_MAJOR) return
  throw new ObservatoryError(
    'ERR_SERVER_UNSUITABLE',
    `${server} is ${label}; Redis 7.0 or newer, or Valkey, is needed: upgrade it, or use another`,
  )
}
