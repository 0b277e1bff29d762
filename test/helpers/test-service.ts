import { Redis } from 'ioredis'
import { loadSettings } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { type Role, type Service, startService } from '../../src/service.ts'
import { withPostgres } from './postgres.ts'
import { createTestDatabase } from './test-database.ts'
import { createTestPrefix } from './test-redis.ts'

export interface TestService {
  readonly service: Service
  readonly prefix: string
  readonly databaseUrl: string
  /** For XADD. */
  readonly redis: Redis
  query<R extends Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>
  /** GETs a path of the API. */
  get(path: string): Promise<Response>
  /** For the file's afterAll. */
  close(): Promise<void>
}

export interface TestServiceOptions {
  /** Takes the lines of its log, from `info` on. By default those of `error` are shown. */
  readonly log?: (line: string) => void
  /** Default: all. */
  readonly roles?: readonly Role[]
  /** Whose database and streams it has, too. */
  readonly beside?: Pick<TestService, 'databaseUrl' | 'prefix'>
}

/** A whole service in this process, on a database and streams of this file's own. */
export async function startTestService(
  env: Record<string, string> = {},
  { log, roles = ['ingest', 'api'], beside }: TestServiceOptions = {},
): Promise<TestService> {
  const { databaseUrl } = beside ?? (await createTestDatabase())
  const { prefix: ownPrefix, redisUrl } = await createTestPrefix()
  const prefix = beside?.prefix ?? ownPrefix
  const { settings } = loadSettings({
    env: { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, STREAM_PREFIX: prefix, HTTP_PORT: '0', ...env },
    cwd: '/',
  })
  const service = await startService({
    settings: {
      ...settings,
      databaseUrl: settings.databaseUrl ?? databaseUrl,
      redisUrl: settings.redisUrl ?? redisUrl,
    },
    roles,
    logger: createLogger(
      log ? { level: 'info', pretty: false, write: log } : { level: 'error', pretty: false },
    ),
    stopping: new AbortController().signal,
  })
  const redis = new Redis(settings.redisUrl ?? redisUrl)
  redis.on('error', () => undefined)
  return {
    service,
    prefix,
    databaseUrl,
    redis,
    query: (text, values = []) =>
      withPostgres(databaseUrl, async (client) => (await client.query(text, values)).rows),
    get: (path) => fetch(new URL(path, service.url)),
    async close() {
      redis.disconnect()
      await service.stop()
    },
  }
}
