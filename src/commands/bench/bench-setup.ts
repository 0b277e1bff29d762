import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { joinServers } from '../../embedded/servers.ts'
import { ObservatoryError } from '../../errors.ts'
import type { Releasers, RunContext } from '../../lifecycle.ts'
import { migrate } from '../../migrate.ts'
import { openClient } from '../../postgres-connection.ts'
import { createRedis, whenReady } from '../../redis.ts'
import type { Settings } from '../../settings.ts'
import { waitForPostgres } from '../../wait-for-postgres.ts'
import { waitForRedis } from '../../wait-for-redis.ts'
import { endServersAfterExit } from '../end-servers-after-exit.ts'
import { CpuMeter } from './cpu-meter.ts'
import { createOwnDatabase } from './own-database.ts'

/** What the measurements work with. All of it is the bench's own and is gone at its end. */
export interface BenchSetup {
  readonly settings: Settings
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly client: pg.Client
  readonly redis: Redis
  /** Of the streams, and in the name of every key. */
  readonly prefix: string
  /** For files, and of the servers that were started. */
  readonly folder: string
  readonly cpu: CpuMeter
  readonly stopping: AbortSignal
  /** Takes a line that says what runs now. */
  readonly tell: (line: string) => void
  /** Takes what the numbers cannot say for themselves; each sentence is kept once. */
  readonly note: (sentence: string) => void
}

export interface SetUpOptions extends RunContext {
  readonly settings: Settings
  readonly tell: (line: string) => void
  readonly note: (sentence: string) => void
}

/** Beside those of quickstart and of the tests. */
const POSTGRES_PORT = 45_432
const REDIS_PORT = 46_379
/** A rewrite of the append-only file would strike one contender and spare the others. */
const REDIS_SETTINGS = { 'auto-aof-rewrite-percentage': '0' }
/** So would a new WAL segment that is filled with zeros and synced, for which a commit waits 50 ms: a server that is long in use renames old ones. */
const POSTGRES_SETTINGS = { wal_init_zero: 'off' }

/**
 * A migrated database and a stream prefix of the bench's own, on the servers of the settings, or on new ones in a temporary folder
 * where none are given. `releasers` gets what removes all of it.
 */
export async function setUpBench(options: SetUpOptions): Promise<BenchSetup> {
  const { settings, stopping, releasers, tell, note } = options
  const folder = await mkdtemp(join(tmpdir(), 'observatory-bench-'))
  releasers.defer('folder of the bench', () => rm(folder, { recursive: true, force: true }))
  // The service is given this instead of whatever settings file lies where the bench is run.
  await writeFile(join(folder, 'observatory.yaml'), '')
  const urls = await enterServers(settings, folder, releasers, tell)
  const timeoutMs = settings.startupTimeoutMs
  await Promise.all([
    waitForPostgres({ databaseUrl: urls.databaseUrl, timeoutMs, signal: stopping }),
    waitForRedis({ url: urls.redisUrl, timeoutMs, signal: stopping }),
  ])
  const databaseUrl = await createOwnDatabase(urls.databaseUrl, releasers)
  await migrate({ databaseUrl, signal: stopping })
  const client = await openClient({ databaseUrl, applicationName: 'observatory bench' })
  releasers.defer('PostgreSQL connection', () => client.end())
  const { redis, prefix } = await openRedis(urls.redisUrl, options)
  const cpu = await CpuMeter.create(redis, client)
  cpu.gaps.forEach(note)
  return {
    settings,
    databaseUrl,
    redisUrl: urls.redisUrl,
    client,
    redis,
    prefix,
    folder,
    cpu,
    stopping,
    tell,
    note,
  }
}

async function enterServers(
  { databaseUrl, redisUrl, embeddedPostgresBin: postgresBin }: Settings,
  folder: string,
  releasers: Releasers,
  tell: (line: string) => void,
): Promise<{ readonly databaseUrl: string; readonly redisUrl: string }> {
  if (databaseUrl !== undefined && redisUrl !== undefined) return { databaseUrl, redisUrl }
  tell('starting servers of its own; this takes some seconds')
  const dataDir = join(folder, 'servers')
  const disarm = endServersAfterExit(dataDir)
  try {
    const servers = await joinServers({
      dataDir,
      postgres: databaseUrl === undefined,
      redis: redisUrl === undefined,
      postgresBin,
      postgresPort: POSTGRES_PORT,
      redisPort: REDIS_PORT,
      redisSettings: REDIS_SETTINGS,
      postgresSettings: POSTGRES_SETTINGS,
      log: tell,
    })
    releasers.defer('embedded servers', () => servers.leave().then(disarm))
    return {
      databaseUrl: started(databaseUrl ?? servers.databaseUrl, 'DATABASE_URL'),
      redisUrl: started(redisUrl ?? servers.redisUrl, 'REDIS_URL'),
    }
  } catch (error) {
    disarm()
    throw error
  }
}

function started(url: string | undefined, setting: string): string {
  if (url !== undefined) return url
  const message = `the embedded server did not start; set ${setting} to one that runs`
  throw new ObservatoryError('ERR_SERVER_UNREACHABLE', message)
}

async function openRedis(
  url: string,
  { stopping, releasers }: SetUpOptions,
): Promise<{ readonly redis: Redis; readonly prefix: string }> {
  const redis = createRedis({ url, role: 'commands', name: 'bench', onError: () => undefined })
  releasers.defer('Redis connection', () => redis.disconnect())
  await whenReady(redis, stopping)
  const prefix = `observatory-bench-${randomBytes(4).toString('hex')}`
  releasers.defer(`keys of ${prefix}`, () => deleteKeys(redis, prefix))
  return { redis, prefix }
}

/** Some keys have the prefix in braces, to lie in the slot of a stream. */
async function deleteKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(...(keys as string[]))
  }
}
