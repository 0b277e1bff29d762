import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import { findRedisBinary } from '../../src/embedded/redis-binary.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function startPair(): Promise<{ primary: OwnRedis; replica: OwnRedis }> {
  const primary = await startOwnRedis()
  closing.push(() => primary.close())
  const replica = await startOwnRedis({ replicaof: `127.0.0.1 ${primary.port}` })
  closing.push(() => replica.close())
  await using(replica, (redis) =>
    eventually(async () => expect(await redis.info('replication')).toContain('master_link_status:up'), {
      timeoutMs: 20_000,
    }),
  )
  return { primary, replica }
}

async function using<T>({ url }: { url: string }, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  redis.on('error', () => undefined)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

async function serve(redisUrl: string): Promise<TestService> {
  const service = await startTestService({ REDIS_URL: redisUrl, BATCH_MAX_AGE_MS: '20' })
  closing.push(() => service.close())
  return service
}

/** Adds records under ids of one's choice, all in the same milliseconds. */
async function add(redis: Redis, stream: string, bodies: ReadonlyMap<string, string>): Promise<void> {
  const pipeline = redis.pipeline()
  for (const [id, body] of bodies) pipeline.xadd(stream, id, 'message', body)
  for (const [error] of (await pipeline.exec()) ?? []) expect(error).toBeNull()
}

async function expectBodies(service: TestService, expected: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const rows = await service.query<{ body: string }>('select body from log_records order by body')
      expect(rows.map(({ body }) => body)).toEqual([...expected].sort())
    },
    { timeoutMs: 20_000 },
  )
}

test('after a failover with a forked history, each record of both histories is there once', async () => {
  const { primary, replica } = await startPair()
  const proxy = await createTcpProxy(primary.url)
  const service = await serve(`redis://127.0.0.1:${proxy.port}`)
  const stream = `${service.prefix}:logs`
  const base = Date.now()
  const numbered = (name: string, ids: readonly number[]) =>
    new Map(ids.map((id) => [`${base}-${id}`, `${name} ${id}`]))
  const range = (from: number, to: number, step = 1) =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step)

  const common = numbered('common', range(1, 200))
  await using(primary, (redis) => add(redis, stream, common))
  await expectBodies(service, [...common.values()])
  await using(replica, async (redis) => {
    await eventually(async () => expect(await redis.xlen(stream)).toBe(common.size))
    await redis.replicaof('NO', 'ONE')
  })

  // Both take entries: odd ids on one, even ids on the other, the last hundred ids on both with other content.
  const old = numbered('old', [...range(201, 600, 2), ...range(600, 700)])
  const promoted = numbered('promoted', [...range(202, 600, 2), ...range(600, 700)])
  await using(primary, (redis) => add(redis, stream, old))
  await using(replica, (redis) => add(redis, stream, promoted))
  await expectBodies(service, [...common.values(), ...old.values()])

  await proxy.close()
  const switched = await createTcpProxy(replica.url, proxy.port)
  closing.push(() => switched.close())
  await expectBodies(service, [...common.values(), ...old.values(), ...promoted.values()])
  const forks = await service.query('select distinct fork from ingest_ledger where stream = $1 order by 1', [
    stream,
  ])
  expect(forks).toEqual([{ fork: 0 }, { fork: 1 }])
  // Those between two batches are in no range of the other history.
  await eventually(async () => {
    const text = await (await service.get('/metrics')).text()
    const [, forked] = /^observatory_entries_forked_total\{signal="logs"\} (\d+)$/m.exec(text) ?? []
    expect(Number(forked)).toBeGreaterThan(100)
    expect(Number(forked)).toBeLessThanOrEqual(promoted.size)
  })
})

test('with Sentinel the service follows the primary', async () => {
  const { primary, replica } = await startPair()
  const sentinel = await startSentinel(primary.port)
  const service = await serve(`redis+sentinel://127.0.0.1:${sentinel.port}/primary`)
  const stream = `${service.prefix}:logs`
  await using(primary, (redis) => redis.xadd(stream, '*', 'message', 'before'))
  await expectBodies(service, ['before'])

  await using({ url: `redis://127.0.0.1:${sentinel.port}` }, async (redis) => {
    await eventually(
      async () => expect(await redis.call('SENTINEL', 'REPLICAS', 'primary')).toHaveLength(1),
      {
        timeoutMs: 20_000,
      },
    )
    await redis.call('SENTINEL', 'FAILOVER', 'primary')
  })
  await using(replica, (redis) =>
    eventually(async () => expect(await redis.info('replication')).toContain('role:master'), {
      timeoutMs: 20_000,
    }),
  )
  await using(replica, (redis) => redis.xadd(stream, '*', 'message', 'after'))
  await expectBodies(service, ['after', 'before'])
  await eventually(async () => expect((await service.get('/readyz')).status).toBe(200), { timeoutMs: 15_000 })
}, 90_000)

async function startSentinel(primaryPort: number): Promise<{ port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'observatory-sentinel-'))
  const port = await freePort()
  const conf = join(folder, 'sentinel.conf')
  await writeFile(
    conf,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor primary 127.0.0.1 ${primaryPort} 1`,
      'sentinel down-after-milliseconds primary 1000',
      'sentinel failover-timeout primary 5000',
    ].join('\n'),
  )
  const child: ChildProcess = spawn(await findRedisBinary(), [conf, '--sentinel'], { stdio: 'ignore' })
  closing.push(async () => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  await using({ url: `redis://127.0.0.1:${port}` }, (redis) => eventually(() => redis.ping()))
  return { port }
}
