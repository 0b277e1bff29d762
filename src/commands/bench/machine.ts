import { cpus, platform, release, totalmem } from 'node:os'
import { waitForRedis } from '../../wait-for-redis.ts'
import type { BenchSetup } from './bench-setup.ts'
import type { Psql } from './psql.ts'
import { SERVICE_SETTINGS } from './service-process.ts'

/** On what, and with which settings, a bench ran. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly postgres: string
  readonly redis: string
  /** Null where there is none. */
  readonly psql: string | null
  readonly settings: {
    readonly service: Readonly<Record<string, string>>
    readonly postgres: Readonly<Record<string, string>>
    /** Empty where Redis does not allow CONFIG GET. */
    readonly redis: Readonly<Record<string, string>>
  }
}

const POSTGRES_SETTINGS = [
  'autovacuum',
  'checkpoint_timeout',
  'fsync',
  'full_page_writes',
  'max_wal_size',
  'shared_buffers',
  'synchronous_commit',
  'wal_compression',
  'wal_level',
]
const REDIS_SETTINGS = ['appendfsync', 'appendonly', 'auto-aof-rewrite-percentage', 'maxmemory']

/** Asks this machine and both servers. */
export async function describeMachine(bench: BenchSetup, psql: Psql | undefined): Promise<Machine> {
  const { settings, redisUrl, stopping } = bench
  const processors = cpus()
  const timeoutMs = settings.startupTimeoutMs
  const { label } = await waitForRedis({ url: redisUrl, timeoutMs, signal: stopping })
  const { server_version = '', ...postgres } = await postgresSettings(bench)
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    node: process.version,
    postgres: `PostgreSQL ${server_version}`,
    redis: label,
    psql: psql?.version ?? null,
    settings: {
      service: Object.fromEntries(SERVICE_SETTINGS.map((key) => [key, String(settings[key])])),
      postgres,
      redis: await redisSettings(bench),
    },
  }
}

async function postgresSettings({ client }: BenchSetup): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from unnest($1::text[]) as name',
    [['server_version', ...POSTGRES_SETTINGS]],
  )
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

async function redisSettings({ redis }: BenchSetup): Promise<Readonly<Record<string, string>>> {
  const reply = await redis.config('GET', ...(REDIS_SETTINGS as [string])).catch(() => [])
  const words = reply as readonly string[]
  const values = new Map(
    words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? ''] as const] : [])),
  )
  return Object.fromEntries([...values].sort(([a], [b]) => a.localeCompare(b)))
}
