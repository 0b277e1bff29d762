import type { Redis, RedisOptions } from 'ioredis'
import { backoffMs } from './lifecycle.ts'
import { openRedisUrl } from './redis-url.ts'
import { MAX_READ_BLOCK_MS } from './settings.ts'

/** `commands` answer at once; a `blocking` connection waits in XREADGROUP BLOCK and does nothing else. */
export type RedisRole = 'commands' | 'blocking'

export interface CreateRedisOptions {
  /** `redis://…`, `rediss://…` (TLS, the certificate verified), either with `+sentinel`, or the path of a unix socket. */
  readonly url: string
  readonly role: RedisRole
  /** What the connection is for: it is called `observatory:<name>:<role>` in CLIENT LIST. */
  readonly name: string
  /** Told of every lost or failed connection. The client reconnects by itself for as long as it is open. */
  readonly onError: (error: Error) => void
  /**
   * How long the server may owe a reply and send nothing before the connection is cut, in milliseconds. Must
   * be longer than any BLOCK. Default 12,000, for `blocking` 15,000.
   */
  readonly silenceMaxMs?: number
}

/** A command without a reply for this long has failed, though the server may still run it. */
const COMMAND_TIMEOUT_MS = 10_000
const SILENCE_MAX_MS: Readonly<Record<RedisRole, number>> = {
  commands: COMMAND_TIMEOUT_MS + 2000,
  blocking: MAX_READ_BLOCK_MS + 5000,
}
const CONNECT_TIMEOUT_MS = 10_000
const RECONNECT_PAUSE_MAX_MS = 5000
const LOADING_PAUSE_MAX_MS = 1000
const REVIVE_PAUSE_MS = 1000

/**
 * Creates a connection that makes itself again after every loss and that never does anything twice:
 *
 * - Not connected, a command is rejected at once (`enableOfflineQueue: false`): no queue grows, and nothing
 *   runs long after its caller gave up. Wait with {@link whenReady}.
 * - In flight when the connection is lost, it is rejected at once and not sent again: whether the server
 *   ran it is unknown, and only the caller knows what that means (a reader then re-reads its own pending
 *   entries, an XACK may be repeated, an XADD goes by its idempotency key).
 *
 * The second needs both options below. ioredis 6 keeps commands in flight when a connection closes
 * (`closeHandler`, `prevCommandQueue`): with `autoResendUnfulfilledCommands` it sends them again; without,
 * it forgets them once reconnected and their promises never settle, unless `maxRetriesPerRequest` flushed
 * them first. It does that when `retryAttempts % (maxRetriesPerRequest + 1)` is 0: on the first close only
 * for 0, and never for null.
 *
 * A peer that vanished without a word is noticed by `socketTimeout`, which destroys the socket. Not by
 * `blockingTimeout`: that answers a read with null and drops the reply that comes late, whose entries would
 * then stay pending here with nobody knowing of them.
 */
export function createRedis(options: CreateRedisOptions): Redis {
  const redis = openRedisUrl(options.url, {
    ...connectionOptions(options),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(backoffMs(attempt - 1), RECONNECT_PAUSE_MAX_MS),
    // A primary that was demoted refuses writes; its name may lead to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  // Without a listener ioredis prints to the console.
  redis.on('error', options.onError)
  return redis
}

function connectionOptions({
  role,
  name,
  silenceMaxMs = SILENCE_MAX_MS[role],
}: CreateRedisOptions): RedisOptions {
  return {
    // CLIENT SETNAME refuses blanks and whatever is not printable ASCII.
    connectionName: `observatory:${name}:${role}`.replace(/[^!-~]/g, '-'),
    connectTimeout: CONNECT_TIMEOUT_MS,
    // disconnect() keeps the process this long where the other side is silent or the connection closed already.
    disconnectTimeout: 100,
    socketTimeout: silenceMaxMs,
    // Not on a blocking connection: waiting is what it is there for.
    ...(role === 'commands' ? { commandTimeout: COMMAND_TIMEOUT_MS } : {}),
    maxLoadingRetryTime: LOADING_PAUSE_MAX_MS,
  }
}

/**
 * Resolves when commands can be sent. Rejects with `signal.reason` when aborted, and when `redis` is closed for
 * good. Give a signal: disconnected while it pauses before a new attempt, ioredis never says that it closed.
 */
export async function whenReady(redis: Redis, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (redis.status === 'ready') return
  if (redis.status === 'end') throw new Error('Connection is closed.')
  await new Promise<void>((resolve, reject) => {
    const settle = (outcome: () => void) => (): void => {
      redis.off('ready', ready)
      redis.off('end', ended)
      signal?.removeEventListener('abort', aborted)
      outcome()
    }
    const ready = settle(resolve)
    const ended = settle(() => reject(new Error('Connection is closed.')))
    const aborted = settle(() => reject(signal?.reason))
    redis.once('ready', ready)
    redis.once('end', ended)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/**
 * Connects again where ioredis has given up for good: it does when an attempt to connect is cut off or its Sentinels fail it, whatever
 * `retryStrategy` says (`connect`: an error of the connector sets the status `end`).
 *
 * @returns what ends that, to be called before the connection is closed on purpose.
 */
export function reviveWhenEnded(redis: Redis): () => void {
  let timer: NodeJS.Timeout | undefined
  const revive = () => {
    timer = setTimeout(() => redis.connect().catch(() => undefined), REVIVE_PAUSE_MS)
  }
  redis.on('end', revive)
  return () => {
    redis.off('end', revive)
    clearTimeout(timer)
  }
}

/** A connection that is made again whatever happens, until it is closed: what fails of it then is no news. */
export function openRevivedRedis(options: CreateRedisOptions): {
  readonly redis: Redis
  readonly close: () => void
} {
  let isOpen = true
  const onError = (error: Error) => {
    if (isOpen) options.onError(error)
  }
  const redis = createRedis({ ...options, onError })
  const stopReviving = reviveWhenEnded(redis)
  const close = () => {
    isOpen = false
    stopReviving()
    redis.disconnect()
  }
  return { redis, close }
}

/** A setting of the Redis server with which it can lose what it accepted, and what to do about it. */
export interface RedisSafetyWarning {
  readonly setting: 'appendonly' | 'appendfsync' | 'maxmemory-policy'
  /** As the server has it; undefined when it may not be asked. */
  readonly value: string | undefined
  readonly advice: string
}

/**
 * What could make this Redis lose entries it accepted. Managed services forbid CONFIG: then each setting is
 * named as not checked.
 */
export async function redisSafetyWarnings(redis: Redis): Promise<readonly RedisSafetyWarning[]> {
  const config = await readConfig(redis)
  if (config === undefined) {
    return (['appendonly', 'appendfsync', 'maxmemory-policy'] as const).map((setting) => ({
      setting,
      value: undefined,
      advice: `could not be checked: this Redis does not allow CONFIG GET. ${ADVICE[setting]}`,
    }))
  }
  const warnings: RedisSafetyWarning[] = []
  const warn = (setting: RedisSafetyWarning['setting']): void => {
    warnings.push({ setting, value: config.get(setting), advice: ADVICE[setting] })
  }
  if (config.get('appendonly') !== 'yes') warn('appendonly')
  else if (config.get('appendfsync') !== 'always') warn('appendfsync')
  if (config.get('maxmemory-policy') !== 'noeviction') warn('maxmemory-policy')
  return warnings
}

const ADVICE = {
  appendonly:
    'Without the append-only file a crash of Redis loses every entry since its last snapshot: CONFIG SET appendonly yes.',
  appendfsync:
    'Unless it is "always", a crash of its machine loses accepted entries: those of the last second with "everysec", of about 30 seconds with "no".',
  'maxmemory-policy':
    'Unless it is "noeviction", a full Redis deletes whole streams with all that is in them: CONFIG SET maxmemory-policy noeviction.',
} as const

async function readConfig(redis: Redis): Promise<ReadonlyMap<string, string> | undefined> {
  let reply: unknown
  try {
    reply = await redis.config('GET', 'appendonly', 'appendfsync', 'maxmemory-policy')
  } catch (error) {
    // An error reply (NOPERM, unknown command) names its command; a lost connection does not.
    if ((error as { command?: unknown }).command !== undefined) return undefined
    throw error
  }
  const words = reply as readonly string[]
  return new Map(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])))
}
