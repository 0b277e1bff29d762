import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { InFlight } from '../../src/ingest/in-flight.ts'
import { EntryReader, type ReadOptions } from '../../src/ingest/read-entries.ts'
import { formatEntryId } from '../../src/models/stream-entry.ts'
import { createRedis, whenReady } from '../../src/redis.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const GROUP = 'g'
const OWN = 'c'
const CLAIM_MIN_IDLE_MS = 200
const COMMIT_MS = 5

let stream: string
let redis: Redis
let stopping: AbortController
let inFlight: InFlight
/** How many entries each read brought. */
let reads: number[]

beforeEach(async () => {
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  redis = createRedis({ url: redisUrl, role: 'blocking', name: 'test', onError: () => undefined })
  await whenReady(redis)
  stopping = new AbortController()
  inFlight = new InFlight(64_000_000, [stream])
  reads = []
})

afterEach(() => redis.disconnect())

async function add(count: number): Promise<void> {
  const pipeline = redis.pipeline()
  for (let n = 0; n < count; n += 1) pipeline.xadd(stream, '*', 'message', 'x')
  await pipeline.exec()
}

/** Adds entries that a consumer holds. */
async function addPending(consumer: string, count: number): Promise<void> {
  await add(count)
  await redis.xgroup('CREATE', stream, GROUP, '0')
  await redis.xreadgroup('GROUP', GROUP, consumer, 'COUNT', count, 'STREAMS', stream, '>')
}

function createReader(options: Partial<ReadOptions> = {}): EntryReader {
  return new EntryReader({
    redis,
    commands: redis,
    stream,
    group: GROUP,
    consumer: OWN,
    maxCount: 256,
    blockMs: 50,
    inFlight,
    stopping: stopping.signal,
    ended: new AbortController().signal,
    onError: (error) => expect.fail(String(error)),
    onGroupGone: () => expect.fail('the group is gone'),
    onVanished: async () => true,
    claim: {
      minIdleMs: CLAIM_MIN_IDLE_MS,
      isAlive: async () => false,
      mayClaim: () => true,
      onClaimed: () => undefined,
    },
    ...options,
  })
}

/** Reads to the end, as a writer that commits a little later, and acknowledges unless what it holds is stale. */
async function consume(reader: EntryReader, onRead: () => void = () => undefined): Promise<void> {
  const acknowledging: Promise<unknown>[] = []
  for await (const { entries } of reader.read()) {
    reads.push(entries.length)
    onRead()
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    const commit = async () => {
      await new Promise((resolve) => setTimeout(resolve, COMMIT_MS))
      if (!reader.isStale) await redis.xack(stream, GROUP, ...entries.map(({ id }) => formatEntryId(id)))
      inFlight.settled(stream, { entries: entries.length, bytes, records: 0 })
    }
    acknowledging.push(commit())
  }
  await Promise.all(acknowledging)
}

const pending = async () => Number((await redis.xpending(stream, GROUP))[0])
const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)

test('told to stop while it reads its own pending entries again, it reads all of them, and nothing new', async () => {
  await addPending(OWN, 500)
  await add(100)
  await consume(createReader(), () => {
    if (sum(reads) > 50) stopping.abort()
  })
  expect(await pending()).toBe(0)
  expect(sum(reads)).toBeGreaterThanOrEqual(500)
  expect(await redis.xinfo('GROUPS', stream)).toMatchObject([expect.arrayContaining(['lag', 100])])
})

test('told to stop while it claims, it claims no more', async () => {
  await addPending('gone', 2000)
  await new Promise((resolve) => setTimeout(resolve, CLAIM_MIN_IDLE_MS * 1.5))
  await consume(createReader(), () => {
    if (sum(reads) > 100) stopping.abort()
  })
  expect(sum(reads)).toBeLessThan(200)
  expect(await pending()).toBe(2000 - sum(reads))
})

test('told to stop while it waits for entries, it ends with that wait', async () => {
  const reader = createReader({ blockMs: 1500 })
  const consuming = consume(reader)
  await eventually(() => expect(reader.isBlocked).toBe(true))
  const stoppedAt = performance.now()
  stopping.abort()
  await consuming
  expect(performance.now() - stoppedAt).toBeLessThan(2500)
})

test('an own entry that has vanished and cannot be settled yet makes nothing else be read again, and is asked for again', async () => {
  await addPending(OWN, 1)
  await redis.xtrim(stream, 'MAXLEN', 0)
  let asked = 0
  let canSettle = false
  const onVanished = async (ids: readonly string[]) => {
    asked += 1
    if (canSettle) await redis.xack(stream, GROUP, ...ids)
    return canSettle
  }
  const reader = createReader({ onVanished })
  let timesStale = 0
  let wasStale = true
  const watching = setInterval(() => {
    if (reader.isStale && !wasStale) timesStale += 1
    wasStale = reader.isStale
  }, 1)
  const consuming = consume(reader)
  for (let n = 0; n < 10; n += 1) {
    await add(20)
    await new Promise((resolve) => setTimeout(resolve, CLAIM_MIN_IDLE_MS / 2))
  }
  await eventually(async () => expect(await pending()).toBe(1))
  expect([sum(reads), timesStale]).toEqual([200, 0])
  expect(asked).toBeGreaterThan(2)
  canSettle = true
  await eventually(async () => expect(await pending()).toBe(0))
  const before = asked
  await new Promise((resolve) => setTimeout(resolve, CLAIM_MIN_IDLE_MS * 2))
  expect(asked, 'and then no more').toBe(before)
  stopping.abort()
  await consuming
  clearInterval(watching)
})
