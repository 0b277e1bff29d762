import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readGroups } from '../../src/commands/stream-groups.ts'
import { ConsumerLease } from '../../src/ingest/consumer-lease.ts'
import { createRedis, whenReady } from '../../src/redis.ts'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix, withRedis } from '../helpers/test-redis.ts'

let cwd: string
let databaseUrl: string
let prefix: string
let proxy: TcpProxy
/** Through the proxy. */
let redisUrl: string

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-stopped-redis-'))
  ;({ databaseUrl } = await createTestDatabase())
})

afterAll(() => rm(cwd, { recursive: true, force: true }))

beforeEach(async () => {
  const test = await createTestPrefix()
  prefix = test.prefix
  proxy = await createTcpProxy(test.redisUrl)
  redisUrl = `redis://127.0.0.1:${proxy.port}${new URL(test.redisUrl).pathname}`
})

afterEach(() => proxy.close())

const OUTAGES = [
  ['away', () => proxy.close()],
  ['silent', () => proxy.freeze()],
] as const

describe('SIGTERM while Redis is', () => {
  let service: RunningCommand

  beforeEach(async () => {
    const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, STREAM_PREFIX: prefix, HTTP_PORT: '0' }
    service = new RunningCommand(['serve'], { env, cwd })
    await service.says('"msg":"started"')
    await withRedis((redis) => redis.xadd(`${prefix}:logs`, '*', 'message', 'before'))
    await eventually(async () =>
      expect(await withRedis((redis) => readGroups(redis, `${prefix}:logs`))).toMatchObject([
        { name: 'observatory', pending: 0, lag: 0 },
      ]),
    )
  })

  afterEach(() => service.kill())

  test.each(OUTAGES)('%s: everything is closed, with exit code 0', async (_, breakOff) => {
    await breakOff()
    service.child.kill('SIGTERM')
    const { code, stdout, stderr } = await service.finished
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toMatch(/"msg":"stopped"\}\n$/)
  })
})

describe('a consumer name', () => {
  test('that is given back is free at once', async () => {
    const { lease, told, close } = await acquire()
    await lease.release()
    expect(await withRedis((redis) => redis.keys(`${prefix}:consumer:*`))).toEqual([])
    expect(told).toEqual([])
    close()
  })

  test('is left to its lease where Redis is away', async () => {
    const { lease, told, redis, close } = await acquire()
    await proxy.close()
    await eventually(() => expect(redis.status).not.toBe('ready'))
    await lease.release()
    expect(told).toEqual([])
    close()
  })

  test('is left to its lease, and that is told, where Redis does not answer for two seconds', async () => {
    const { lease, told, close } = await acquire()
    proxy.freeze()
    const startMs = performance.now()
    await lease.release()
    expect(performance.now() - startMs).toBeLessThan(3000)
    expect(told).toEqual([expect.stringMatching(/was not given back \(no answer within 2000 ms\)/)])
    close()
  })
})

interface Acquired {
  readonly lease: ConsumerLease
  readonly told: readonly string[]
  readonly redis: Redis
  close(): void
}

async function acquire(): Promise<Acquired> {
  const told: string[] = []
  const redis = createRedis({ url: redisUrl, role: 'commands', name: 'lease', onError: () => undefined })
  await whenReady(redis)
  const onError = (error: unknown): void => void told.push(String(error))
  const lease = await ConsumerLease.acquire(redis, { prefix, group: 'g', onError })
  return { lease, told, redis, close: () => redis.disconnect() }
}
