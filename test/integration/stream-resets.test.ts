import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StreamHistory } from '../../src/ingest/stream-history.ts'
import { eventually } from '../helpers/eventually.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { startTestService } from '../helpers/test-service.ts'

const STREAM = 'reset:logs'
const GROUP = 'g'

let ownRedis: OwnRedis
let redis: Redis
let history: StreamHistory

beforeEach(async () => {
  ownRedis = await startOwnRedis()
  redis = new Redis(ownRedis.url, { maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  history = new StreamHistory()
  await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM')
})

afterEach(async () => {
  redis.disconnect()
  await ownRedis.close()
})

const look = () => history.look(redis, { stream: STREAM, group: GROUP })

async function add(count: number): Promise<void> {
  for (let each = 0; each < count; each += 1) await redis.xadd(STREAM, '*', 'message', 'x')
}

const read = (count: number) => redis.xreadgroup('GROUP', GROUP, 'c', 'COUNT', count, 'STREAMS', STREAM, '>')

test('a stream that is read, trimmed, thinned out and filled again goes on', async () => {
  expect(await look()).toBeUndefined()
  await add(20)
  expect(await look()).toBeUndefined()
  await read(20)
  await redis.xtrim(STREAM, 'MAXLEN', 5)
  expect(await look()).toBeUndefined()
  await redis.xtrim(STREAM, 'MAXLEN', 0)
  await redis.xgroup('DESTROY', STREAM, GROUP)
  expect(await look()).toBeUndefined()
  await add(1)
  expect(await look()).toBeUndefined()
})

describe('the end of a history is told once, with what was seen last, after', () => {
  test.each([
    ['DEL', () => redis.del(STREAM)],
    ['FLUSHALL', () => redis.flushall()],
    [
      'DEL and other entries since',
      async () => {
        await redis.del(STREAM)
        await add(3)
      },
    ],
    [
      'DEL and more entries than before',
      async () => {
        await redis.del(STREAM)
        await add(11)
      },
    ],
    [
      'DEL and a new group',
      async () => {
        await redis.del(STREAM)
        await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM')
      },
    ],
  ])('%s', async (_, end) => {
    await add(10)
    await read(4)
    await look()
    await end()
    expect(await look()).toMatchObject({ entriesAdded: 10, unread: 6, pending: 4 })
    expect(await look()).toBeUndefined()
  })

  test('Redis came back with an earlier state of it', async () => {
    await add(5)
    await redis.config('SET', 'appendonly', 'no')
    await redis.save()
    await add(10)
    await look()
    await ownRedis.end('SIGKILL')
    await ownRedis.start()
    await eventually(() => redis.ping())
    expect(await redis.xlen(STREAM), 'it has forgotten').toBeLessThan(15)
    expect(await look()).toMatchObject({ entriesAdded: 15, unread: 15 })
  })
})

test('a service logs it as an error and counts it', async () => {
  const errors: { msg: string; stream: string; unread: number }[] = []
  const log = (line: string) => {
    const parsed = JSON.parse(line)
    if (parsed.level === 'error') errors.push(parsed)
  }
  const service = await startTestService({ REDIS_URL: ownRedis.url }, { log })
  try {
    const stream = `${service.prefix}:logs`
    await redis.xadd(stream, '*', 'message', 'x')
    await eventually(async () => expect(await service.query('select 1 from log_records')).toHaveLength(1))
    // The keeper looks every five seconds.
    await new Promise((resolve) => setTimeout(resolve, 6000))
    await redis.flushall()
    await eventually(() => expect(errors).toHaveLength(1), { timeoutMs: 10_000 })
    expect(errors[0]).toMatchObject({ stream, unread: 0, msg: expect.stringMatching(/deleted or emptied/) })
    const metrics = await (await service.get('/metrics')).text()
    expect(metrics).toMatch(/^observatory_stream_resets_total\{signal="logs"\} 1$/m)
    expect(metrics).toMatch(/^observatory_stream_resets_total\{signal="traces"\} 0$/m)
  } finally {
    await service.close()
  }
}, 40_000)
