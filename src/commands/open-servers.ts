import type { Redis } from 'ioredis'
import type pg from 'pg'
import { messageOf, ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { openClient } from '../postgres-connection.ts'
import { createRedis, whenReady } from '../redis.ts'
import type { Settings } from '../settings.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { waitForRedis } from '../wait-for-redis.ts'
import { notRunning, type ServerUrls } from './servers.ts'

/** Who looks at the servers wants to know now, even that one does not answer. */
const PATIENCE_MS = 3000

export interface OpenServersOptions extends RunContext {
  /** The command, by which the servers know the connection. */
  readonly name: string
  readonly settings: Settings
  /** As `findServers` found them. */
  readonly urls: ServerUrls
}

/** A connection to PostgreSQL, which `releasers` ends. @throws ObservatoryError when it does not run, or as `waitForPostgres` does. */
export async function openPostgres(
  options: OpenServersOptions,
): Promise<{ readonly client: pg.Client; readonly databaseUrl: string; readonly version: string }> {
  const { name, settings, urls, stopping, releasers } = options
  const { databaseUrl } = urls
  if (databaseUrl === undefined) throw notRunning(settings, 'PostgreSQL')
  const { version } = await waitForPostgres({
    databaseUrl,
    timeoutMs: patienceMs(settings),
    signal: stopping,
  })
  const client = await openClient({ databaseUrl, applicationName: `observatory ${name}` })
  releasers.defer('PostgreSQL connection', () => client.end())
  return { client, databaseUrl, version }
}

/** A connection to Redis, which `releasers` ends. @throws ObservatoryError when it does not run, or as `waitForRedis` does. */
export async function openRedis(
  options: OpenServersOptions,
): Promise<{ readonly redis: Redis; readonly redisUrl: string; readonly label: string }> {
  const { name, settings, urls, stopping, releasers } = options
  const { redisUrl } = urls
  if (redisUrl === undefined) throw notRunning(settings, 'Redis')
  const { label } = await waitForRedis({ url: redisUrl, timeoutMs: patienceMs(settings), signal: stopping })
  const redis = createRedis({ url: redisUrl, role: 'commands', name, onError: () => undefined })
  releasers.defer('Redis connection', () => redis.disconnect())
  await whenReady(redis, stopping)
  return { redis, redisUrl, label }
}

/** Both, as above. @throws ObservatoryError that names both when neither is there. */
export async function openServers(options: OpenServersOptions) {
  const [postgres, redis] = await Promise.allSettled([openPostgres(options), openRedis(options)])
  if (postgres.status === 'rejected' && redis.status === 'rejected') {
    const { reason } = postgres
    throw reason instanceof ObservatoryError
      ? new ObservatoryError(reason.code, `${reason.message}\n${messageOf(redis.reason)}`, { cause: reason })
      : reason
  }
  if (postgres.status === 'rejected') throw postgres.reason
  if (redis.status === 'rejected') throw redis.reason
  return { ...postgres.value, ...redis.value }
}

function patienceMs({ startupTimeoutMs }: Settings): number {
  return Math.min(PATIENCE_MS, startupTimeoutMs)
}
