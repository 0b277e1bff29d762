import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { type Role, type Service, startService } from '../../src/service.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

let service: Service
let postgres: TcpProxy
let redis: TcpProxy
let prefix: string
let databaseUrl: string
let redisUrl: string

afterEach(async () => {
  await service.stop()
  await postgres.close()
  await redis.close()
})

/** A service that reaches its servers through the two proxies. */
async function start({ roles = ['ingest', 'api'] }: { roles?: readonly Role[] } = {}): Promise<void> {
  databaseUrl = (await createTestDatabase()).databaseUrl
  ;({ prefix, redisUrl } = await createTestPrefix())
  postgres = await createTcpProxy(databaseUrl)
  redis = await createTcpProxy(redisUrl)
  const { settings } = loadSettings({
    env: { STREAM_PREFIX: prefix, HTTP_PORT: '0', DATABASE_POOL_MAX: '2', WRITE_CONCURRENCY: '1' },
    cwd: '/',
  })
  service = await startService({
    settings: {
      ...settings,
      databaseUrl: atPort(databaseUrl, postgres.port),
      redisUrl: atPort(redisUrl, redis.port),
    },
    roles,
    logger: createLogger({ level: 'fatal', pretty: false }),
    stopping: new AbortController().signal,
  })
}

function atPort(url: string, port: number): string {
  return Object.assign(new URL(url), { port: String(port) }).href
}

async function ready(): Promise<{ status: number; body: { problems: string[] }; ms: number }> {
  const startedAt = performance.now()
  const response = await fetch(new URL('/readyz', service.url))
  const body = (await response.json()) as { problems: string[] }
  return { status: response.status, body, ms: performance.now() - startedAt }
}

/** The samples of a scrape whose name begins so, each a line. */
async function scrape(name: string): Promise<{ samples: string[]; ms: number }> {
  const startedAt = performance.now()
  const text = await (await fetch(new URL('/metrics', service.url))).text()
  const ms = performance.now() - startedAt
  return { samples: text.split('\n').filter((line) => line.match(`^observatory_${name}`)), ms }
}

describe('/readyz', () => {
  it('says ready at once while queries have all connections of the API', async () => {
    await start()
    const locker = new pg.Client(databaseUrl)
    await locker.connect()
    const gone = new AbortController()
    try {
      await locker.query('begin; lock table resources in access exclusive mode')
      const url = new URL('/api/v1/logs', service.url)
      for (let request = 0; request < 4; request += 1)
        fetch(url, { signal: gone.signal }).catch(() => undefined)
      await eventually(async () => {
        const { samples } = await scrape('pool_clients\\{')
        expect(samples).toContain('observatory_pool_clients{pool="api",state="waiting"} 2')
      })
      expect(await ready()).toMatchObject({ status: 200, body: { problems: [] } })
      expect((await ready()).ms).toBeLessThan(1000)
    } finally {
      gone.abort()
      await locker.end()
    }
  })

  it('gives up soon on a PostgreSQL that is silent, asks it once for many probes, and recovers', async () => {
    await start({ roles: ['api'] })
    expect((await ready()).status).toBe(200)
    const accepted = postgres.accepted()
    postgres.freeze()
    const probes = await Promise.all(Array.from({ length: 20 }, () => ready()))
    for (const { status, body, ms } of probes) {
      expect(status).toBe(503)
      expect(body.problems).toEqual([expect.stringContaining('PostgreSQL: ')])
      expect(ms).toBeLessThan(3000)
    }
    expect(postgres.accepted()).toBe(accepted)
    // A scrape waits for no more than a second.
    expect(await scrape('ready')).toMatchObject({
      samples: ['observatory_ready 0'],
      ms: expect.toSatisfy((ms: number) => ms < 2000),
    })
    // Connecting is waited for no longer.
    expect(await ready()).toMatchObject({ status: 503, ms: expect.toSatisfy((ms: number) => ms < 3000) })
    postgres.thaw()
    await eventually(async () => expect((await ready()).status).toBe(200))
  })

  it.each<[Role, readonly string[]]>([
    ['api', ['operations', 'api']],
    ['ingest', ['operations', 'ingest', 'maintenance']],
  ])('and /metrics know the pools of a service that has only the role %s', async (role, pools) => {
    await start({ roles: [role] })
    await eventually(async () => expect(await ready()).toMatchObject({ status: 200, body: { problems: [] } }))
    const limits = { operations: 1, api: 2, ingest: 5, maintenance: 5 } as Record<string, number>
    expect((await scrape('pool_clients_limit\\{')).samples).toEqual(
      pools.map((pool) => `observatory_pool_clients_limit{pool="${pool}"} ${limits[pool]}`),
    )
    expect((await scrape('pool_clients\\{')).samples).toContain(
      'observatory_pool_clients{pool="operations",state="idle"} 1',
    )
  })
})

describe('/metrics', () => {
  const groups = ['lag', 'pending'].flatMap((field) =>
    ['traces', 'metrics', 'logs'].map(
      (signal) => `observatory_stream_${field}_entries{signal="${signal}"} 0`,
    ),
  )

  it('asks Redis once for each stream', async () => {
    await start()
    await eventually(async () => expect((await scrape('stream_(lag|pending)_')).samples).toEqual(groups))
    const watcher = new Redis(redisUrl)
    const monitor = await watcher.monitor()
    const asked: string[] = []
    monitor.on('monitor', (_time: string, words: string[], source: string) => {
      if (source === 'lua') return
      const [command, subcommand, stream] = words.map((word) => word.toLowerCase())
      if (command === 'xinfo' && subcommand === 'groups' && stream?.startsWith(prefix)) asked.push(stream)
    })
    // Others of the service ask now and then, too.
    await eventually(async () => {
      asked.length = 0
      await scrape('stream_(lag|pending)_')
      await sleep(200)
      expect(asked.sort()).toEqual(['logs', 'metrics', 'traces'].map((signal) => `${prefix}:${signal}`))
    })
    monitor.disconnect()
    watcher.disconnect()
  })

  it('has no sample of the streams, after a second, when Redis is silent; at once when it is away', async () => {
    await start({ roles: ['api'] })
    redis.freeze()
    const frozen = await scrape('')
    expect(frozen.samples.join('\n')).not.toMatch(/observatory_stream_\w+_entries/)
    expect(frozen.samples.join('\n')).toContain('observatory_pool_clients{')
    expect(frozen.ms).toBeLessThan(2000)
    redis.thaw()
    await redis.close()
    await eventually(async () =>
      expect((await ready()).body.problems).toEqual([expect.stringMatching(/^Redis/)]),
    )
    const away = await scrape('stream_(lag|pending)_')
    expect(away.samples).toEqual([])
    expect(away.ms).toBeLessThan(500)
    redis = await createTcpProxy(redisUrl)
  })
})
