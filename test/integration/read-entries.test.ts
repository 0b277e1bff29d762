import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { InFlight } from '../../src/ingest/in-flight.ts'
import { EntryReader } from '../../src/ingest/read-entries.ts'
import { createRedis, whenReady } from '../../src/redis.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const MIB = 1024 * 1024

let stream: string
let redis: Redis
let stopping: AbortController

beforeEach(async () => {
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  redis = createRedis({ url: redisUrl, role: 'blocking', name: 'test', onError: () => undefined })
  await whenReady(redis)
  stopping = new AbortController()
})

afterEach(() => {
  stopping.abort()
  redis.disconnect()
})

async function add(count: number, bytes: number): Promise<void> {
  const pipeline = redis.pipeline()
  for (let n = 0; n < count; n += 1) pipeline.xadd(stream, '*', 'message', 'x'.repeat(bytes))
  await pipeline.exec()
}

/** How many entries each of the next reads brings, until `total` were read. */
async function countsOfReads(total: number, maxCount = 256): Promise<number[]> {
  const inFlight = new InFlight(1024 * MIB, [stream])
  const reader = new EntryReader({
    redis,
    commands: redis,
    stream,
    group: 'g',
    consumer: 'c',
    maxCount,
    blockMs: 100,
    inFlight,
    stopping: stopping.signal,
    ended: stopping.signal,
    onGroupGone: () => expect.fail('the group is gone'),
    onError: (error) => expect.fail(String(error)),
    onVanished: async () => true,
    claim: { minIdleMs: 60_000, isAlive: async () => true, mayClaim: () => true, onClaimed: () => undefined },
  })
  const counts: number[] = []
  for await (const { entries } of reader.read()) {
    counts.push(entries.length)
    if (counts.reduce((sum, count) => sum + count, 0) >= total) break
  }
  return counts
}

test('small entries are read by more and more at once, up to the limit', async () => {
  await add(1000, 10)
  expect(await countsOfReads(1000)).toEqual([16, 32, 64, 128, 256, 256, 248])
})

test('large entries are read by so few that a reply stays small', async () => {
  await add(40, MIB)
  const [first, ...others] = await countsOfReads(40)
  expect(first).toBe(16)
  expect(Math.max(...others)).toBe(1)
})

test('one large entry among small ones makes the next replies small, and is forgotten after some', async () => {
  await add(15, 10)
  await add(1, MIB)
  await add(2000, 10)
  const counts = await countsOfReads(2016)
  expect(counts.slice(0, 4)).toEqual([16, 1, 2, 3])
  expect(counts.at(-2)).toBeGreaterThan(100)
})

test('what is pending already is read by few at once, the first alone: it may be what ended the process before', async () => {
  await add(100, 10)
  await redis.xgroup('CREATE', stream, 'g', '0')
  await redis.xreadgroup('GROUP', 'g', 'c', 'COUNT', 90, 'STREAMS', stream, '>')
  const counts = await countsOfReads(100)
  expect(counts).toEqual([1, 2, 4, 8, 16, 16, 16, 16, 11, 10])
})

test('entries that come one by one are read together', async () => {
  await redis.xgroup('CREATE', stream, 'g', '0', 'MKSTREAM')
  const producer = redis.duplicate()
  await whenReady(producer)
  const startedMs = performance.now()
  const reading = countsOfReads(100)
  for (let n = 0; n < 100; n += 1) {
    await producer.xadd(stream, '*', 'message', 'x')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  producer.disconnect()
  const reads = (await reading).length
  // A pause of 10 ms lies between two of them.
  expect(reads).toBeLessThanOrEqual((performance.now() - startedMs) / 9 + 3)
})
