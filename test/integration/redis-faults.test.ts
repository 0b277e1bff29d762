import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConsumerLease } from '../../src/ingest/consumer-lease.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * What is done to Redis, or by others to its streams, while a service ingests and a producer goes on. Afterwards ingest goes on by itself,
 * and nothing is there twice. What was accepted is there, unless the fault was to destroy it.
 */

const GROUP = 'observatory'

let ownRedis: OwnRedis
let service: TestService
/** Before Redis, for the service alone. */
let proxy: TcpProxy
let admin: Redis
let stream: string
let producer: Producer

beforeEach(async () => {
  // To load a key takes a millisecond: with the fillers, long enough that LOADING is met.
  ownRedis = await startOwnRedis({ 'key-load-delay': '1000' })
  proxy = await createTcpProxy(ownRedis.url)
  service = await startTestService(
    { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, RECLAIM_MIN_IDLE_MS: '86400000', BATCH_MAX_AGE_MS: '20' },
    { log: () => undefined },
  )
  stream = `${service.prefix}:logs`
  admin = new Redis(ownRedis.url, { maxRetriesPerRequest: null })
  admin.on('error', () => undefined)
  producer = new Producer(ownRedis.url)
})

afterEach(async () => {
  await producer?.close()
  admin?.disconnect()
  await service?.close()
  await proxy?.close()
  await ownRedis?.close()
})

/** Adds numbered records, one after the other, whatever happens. */
class Producer {
  readonly accepted: string[] = []
  /** All it sent, whether or not it had an answer. */
  readonly sent = new Set<string>()
  readonly #redis: Redis
  readonly #running: Promise<void>
  #isPaused = false
  #isEnded = false

  constructor(url: string) {
    this.#redis = new Redis(url, {
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
    })
    this.#redis.on('error', () => undefined)
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#isEnded; number += 1) {
      await delay(2)
      if (this.#isPaused) continue
      const body = `record ${number}`
      this.sent.add(body)
      const id = await this.#redis.xadd(stream, '*', 'message', body).catch(() => undefined)
      if (id !== undefined) this.accepted.push(body)
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  async accepts(more: number): Promise<void> {
    const goal = this.accepted.length + more
    this.#isPaused = false
    await eventually(() => expect(this.accepted.length).toBeGreaterThan(goal), { timeoutMs: 20_000 })
  }

  async close(): Promise<void> {
    this.#isEnded = true
    this.#redis.disconnect()
    await this.#running
  }
}

const bodies = async () =>
  (await service.query<{ body: string }>('select body from log_records')).map(({ body }) => body)

/** All of them are stored, and nothing is twice or was never sent. */
async function expectOnce(accepted: readonly string[], timeoutMs = 25_000): Promise<void> {
  await eventually(
    async () => {
      const stored = new Set(await bodies())
      expect(accepted.filter((body) => !stored.has(body))).toEqual([])
    },
    { timeoutMs },
  )
  await eventually(async () => expect((await admin.xpending(stream, GROUP))[0]).toBe(0))
  const stored = await bodies()
  expect(stored.length - new Set(stored).size, 'twice').toBe(0)
  expect(stored.filter((body) => !producer.sent.has(body))).toEqual([])
  await eventually(async () => expect((await service.get('/readyz')).status).toBe(200))
}

async function ownName(): Promise<string> {
  const [consumer] = (await admin.xinfo('CONSUMERS', stream, GROUP)) as unknown[][]
  return String(consumer?.[1])
}

describe('ingest goes on, and everything is there once, after', () => {
  test('its group was destroyed', async () => {
    await producer.accepts(100)
    for (let each = 0; each < 5; each += 1) {
      await admin.xgroup('DESTROY', stream, GROUP)
      await producer.accepts(50)
    }
    producer.pause()
    await expectOnce(producer.accepted)
    expect(await metric('records_duplicate_total'), 'delivered again').toBeGreaterThan(100)
  })

  test('a reply was lost with its connection', async () => {
    await producer.accepts(50)
    producer.pause()
    await expectOnce(producer.accepted)
    // The read that waits in Redis gets what comes, and its answer gets no further than the proxy.
    proxy.freeze()
    await producer.accepts(20)
    await eventually(async () => expect((await admin.xpending(stream, GROUP))[0]).toBeGreaterThan(0))
    proxy.cut()
    proxy.thaw()
    producer.pause()
    // At once, not when what others left is next looked for.
    await expectOnce(producer.accepted, 5000)
  })

  test('its consumer was deleted', async () => {
    await producer.accepts(50)
    for (let each = 0; each < 20; each += 1) {
      await admin.xgroup('DELCONSUMER', stream, GROUP, await ownName())
      await producer.accepts(10)
    }
    producer.pause()
    await expectOnce(producer.accepted)
  })

  test('Redis was killed and took its time to load', async () => {
    const fillers = admin.pipeline()
    for (let key = 0; key < 2500; key += 1) fillers.set(`filler ${key}`, 'x')
    await fillers.exec()
    await producer.accepts(200)
    await ownRedis.end('SIGKILL')
    await delay(300)
    await ownRedis.start('loading')
    await producer.accepts(200)
    producer.pause()
    await expectOnce(producer.accepted)
    expect(await metric('entries_lost_total')).toBe(0)
  })

  test('Redis was a read-only replica for a while', async () => {
    await producer.accepts(100)
    await admin.replicaof('127.0.0.1', '1')
    await eventually(async () => {
      const ready = await service.get('/readyz')
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('READONLY')])
    })
    await admin.replicaof('NO', 'ONE')
    await producer.accepts(100)
    producer.pause()
    await expectOnce(producer.accepted)
  })

  test('Redis had no memory left: what is there is ingested meanwhile', async () => {
    await producer.accepts(100)
    await admin.config('SET', 'maxmemory', '1')
    await delay(50)
    const before = [...producer.accepted]
    await expect(admin.xadd(stream, '*', 'message', 'refused')).rejects.toThrow(/^OOM/)
    await expectOnce(before)
    await delay(500)
    expect((await service.get('/readyz')).status).toBe(200)
    await admin.config('SET', 'maxmemory', '0')
    await producer.accepts(100)
    producer.pause()
    await expectOnce(producer.accepted)
  })
})

test('Redis had no memory left and the connections were lost: what is there is ingested, and a worker could start', async () => {
  await producer.accepts(50)
  const locker = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  await producer.accepts(50)
  producer.pause()
  await delay(200)
  const before = [...producer.accepted]
  await admin.config('SET', 'maxmemory', '1')
  proxy.cut()
  await locker.query('rollback')
  await locker.end()
  await expectOnce(before)
  await eventually(async () => expect((await service.get('/readyz')).status).toBe(200), { timeoutMs: 15_000 })
  await eventually(async () => expect((await admin.xpending(stream, GROUP))[0]).toBe(0), {
    timeoutMs: 15_000,
  })

  const lease = await ConsumerLease.acquire(admin, {
    prefix: service.prefix,
    group: GROUP,
    onError: () => undefined,
  })
  expect(lease.name).toMatch(/-1$/)
  await lease.release()
})

describe('ingest goes on with what comes, and nothing is there twice, after', () => {
  test.each([
    ['its stream was deleted', () => admin.del(stream)],
    ['FLUSHALL', () => admin.flushall()],
    ['FLUSHALL and the same ids again', flushAndBringBack],
  ])('%s', async (_, destroy) => {
    await producer.accepts(100)
    await destroy()
    const before = producer.accepted.length
    await producer.accepts(100)
    producer.pause()
    // The one that was on its way may have come before.
    await expectOnce(producer.accepted.slice(before + 1))
  })

  /** As a Redis comes back that had been copied: everything is delivered again. */
  async function flushAndBringBack(): Promise<void> {
    const entries = await admin.xrange(stream, '-', '+')
    const pipeline = admin.multi().flushall()
    for (const [id, fields] of entries) pipeline.xadd(stream, id, ...fields)
    await pipeline.exec()
  }
})

async function metric(name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^observatory_${name}\\{signal="logs"\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}
