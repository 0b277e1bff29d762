import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimIdle } from '../../src/ingest/claim-idle.ts'
import { removeDeadConsumers } from '../../src/ingest/dead-consumers.ts'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { withRedis } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const GROUP = 'observatory'
const IDLE_MS = 1000

let service: TestService
let stream: string
let lines: { level: string; msg: string; ids?: string[]; count?: number }[]
let number = 0

beforeAll(async () => {
  service = await startTestService(
    { RECLAIM_MIN_IDLE_MS: String(IDLE_MS), READ_BLOCK_MS: '50', STREAM_KEEP_ENTRIES: '1000000' },
    { log: (line) => lines.push(JSON.parse(line)) },
  )
  stream = `${service.prefix}:logs`
  await eventually(async () => expect((await service.get('/readyz')).status).toBe(200))
})
afterAll(() => service?.close())
lines = []
beforeEach(() => {
  lines = []
})

/** Adds entries, each with a body of its own. @returns ids and bodies. */
async function add(count: number): Promise<{ ids: string[]; bodies: string[] }> {
  const bodies = Array.from({ length: count }, () => `record ${++number}`)
  const ids: string[] = []
  for (const body of bodies) ids.push(String(await service.redis.xadd(stream, '*', 'message', body)))
  return { ids, bodies }
}

/** Adds entries that another consumer is the one to read. */
async function addHeldBy(consumer: string, count: number): Promise<{ ids: string[]; bodies: string[] }> {
  const added = await service.redis
    .multi()
    .xadd(stream, '*', 'message', `record ${++number}`)
    .xreadgroup('GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
    .exec()
  const first = { ids: [String(added?.[0]?.[1])], bodies: [`record ${number}`] }
  if (count === 1) return first
  const rest = await addHeldBy(consumer, count - 1)
  return { ids: [...first.ids, ...rest.ids], bodies: [...first.bodies, ...rest.bodies] }
}

const leaseOf = (consumer: string) => `${service.prefix}:consumer:${GROUP}:${consumer}`

const heldBy = async (consumer: string) => {
  const pending = (await service.redis.xpending(stream, GROUP, '-', '+', 1000, consumer)) as [string][]
  return pending.map(([id]) => id)
}

async function ownName(): Promise<string> {
  const [key] = await service.redis.keys(leaseOf('*'))
  return String(key?.slice(leaseOf('').length))
}

async function metric(name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^observatory_${name}\\{signal="logs"\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

const stored = async (bodies: readonly string[]) => {
  const rows = await service.query<{ body: string }>('select body from log_records where body = any ($1)', [
    bodies,
  ])
  return rows.map(({ body }) => body).sort()
}

const becomeStored = (bodies: readonly string[]) =>
  eventually(async () => expect(await stored(bodies)).toEqual([...bodies].sort()))

describe('entries of another consumer', () => {
  test('that is gone are claimed once they were idle for long enough, and ingested once', async () => {
    const claimedBefore = await metric('entries_claimed_total')
    const { ids, bodies } = await addHeldBy('gone', 40)
    const begun = performance.now()
    await becomeStored(bodies)
    expect(performance.now() - begun).toBeGreaterThan(0.7 * IDLE_MS)
    await eventually(async () => expect(await heldBy('gone')).toEqual([]))
    expect(await heldBy(await ownName())).toEqual([])
    expect((await metric('entries_claimed_total')) - claimedBefore).toBe(ids.length)
    expect(lines.some(({ msg }) => msg.startsWith('took over entries'))).toBe(true)
  })

  test('that is at work are left alone, however long they lie there', async () => {
    await service.redis.set(leaseOf('busy'), 'somebody', 'PX', 60_000)
    const { ids, bodies } = await addHeldBy('busy', 5)
    const others = await addHeldBy('gone', 5)
    await becomeStored(others.bodies)
    await delay(3 * IDLE_MS)
    expect(await heldBy('busy')).toEqual(ids)
    expect(await stored(bodies)).toEqual([])
    await service.redis.del(leaseOf('busy'))
    await becomeStored(bodies)
    await eventually(async () => expect(await heldBy('busy')).toEqual([]))
  })
})

test('large entries are claimed by so few at once that a reply stays small', async () => {
  const prefix = 'large'
  await withRedis(async (redis) => {
    await redis.xgroup('CREATE', prefix, GROUP, '0', 'MKSTREAM')
    for (let n = 0; n < 8; n += 1) await redis.xadd(prefix, '*', 'message', 'x'.repeat(1_000_000))
    await redis.xreadgroup('GROUP', GROUP, 'gone', 'STREAMS', prefix, '>')
    const claims: number[] = []
    const options = { redis, stream: prefix, group: GROUP, consumer: 'c', minIdleMs: 0 }
    for await (const { entries } of claimIdle({ ...options, isAlive: async () => false }))
      claims.push(entries.length)
    expect(claims).toEqual([3, 3, 2])
    await redis.del(prefix)
  })
})

describe('pending entries that somebody removed from the stream', () => {
  /** Entries that are committed, and yet pending for a consumer: as when it ended between COMMIT and XACK. */
  async function addCommitted(consumer: string, count: number): Promise<string[]> {
    const { ids, bodies } = await add(count)
    await becomeStored(bodies)
    await eventually(async () =>
      expect(await service.redis.xpending(stream, GROUP)).toEqual([0, null, null, null]),
    )
    await service.redis.xclaim(stream, GROUP, consumer, 0, ...ids, 'FORCE', 'JUSTID')
    return ids
  }

  test.each([
    ['of a consumer that is gone', async () => 'gone'],
    ['of its own', ownName],
  ])('%s: committed ones are acknowledged, lost ones counted, logged and acknowledged', async (_, nameOf) => {
    const consumer = await nameOf()
    const lostBefore = await metric('entries_lost_total')
    const committed = await addCommitted(consumer, 3)
    const lost: string[] = []
    for (let each = 0; each < 4; each += 1) {
      const id = `${Date.now()}-${1000 + each}`
      // In one step: whoever else reads it would have it in memory.
      await service.redis
        .multi()
        .xadd(stream, id, 'message', 'lost')
        .xreadgroup('GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
        .xdel(stream, id)
        .exec()
      lost.push(id)
    }
    await service.redis.xdel(stream, ...committed)
    await eventually(async () =>
      expect(await service.redis.xpending(stream, GROUP)).toEqual([0, null, null, null]),
    )
    expect((await metric('entries_lost_total')) - lostBefore).toBe(lost.length)
    const errors = lines.filter(({ level }) => level === 'error')
    expect(errors.flatMap(({ ids }) => ids).sort()).toEqual(lost.sort())
    expect(
      errors.every(({ msg }) => /removed from the stream before they were ingested, and are lost/.test(msg)),
    ).toBe(true)
    expect(await stored(['lost'])).toEqual([])
  })
})

describe('names of consumers', () => {
  const remove = (isAlive: (consumer: string) => boolean, minIdleMs = 0) =>
    withRedis((redis) =>
      removeDeadConsumers(redis, {
        stream: 'names',
        group: GROUP,
        minIdleMs,
        isAlive: async (name) => isAlive(name),
      }),
    )
  const names = async () => {
    const consumers = (await withRedis((redis) => redis.xinfo('CONSUMERS', 'names', GROUP))) as unknown[][]
    return consumers.map((fields) => fields[1]).sort()
  }

  test('that are gone and hold nothing are removed, those that hold something are not', async () => {
    await withRedis(async (redis) => {
      await redis.xgroup('CREATE', 'names', GROUP, '0', 'MKSTREAM')
      await redis.xadd('names', '1-0', 'a', 'b')
      for (const name of ['holding', 'idle', 'alive'])
        await redis.xgroup('CREATECONSUMER', 'names', GROUP, name)
      await redis.xreadgroup('GROUP', GROUP, 'holding', 'COUNT', 1, 'STREAMS', 'names', '>')
    })
    expect(await remove(() => false, 60_000), 'seen a moment ago').toEqual([])
    expect(await remove((name) => name === 'alive')).toEqual(['idle'])
    expect(await names()).toEqual(['alive', 'holding'])
    expect((await withRedis((redis) => redis.xpending('names', GROUP)))[0]).toBe(1)
  })

  test('that are given an entry just then are not removed, nor is the entry forgotten', async () => {
    await withRedis((redis) => redis.xack('names', GROUP, '1-0'))
    const givenMeanwhile = async (name: string) => {
      await withRedis((redis) => redis.xclaim('names', GROUP, name, 0, '1-0', 'FORCE', 'JUSTID'))
      return false
    }
    const options = { stream: 'names', group: GROUP, minIdleMs: 0, isAlive: givenMeanwhile }
    await withRedis((redis) => removeDeadConsumers(redis, options))
    expect((await withRedis((redis) => redis.xpending('names', GROUP)))[0]).toBe(1)
  })
})

test('a process that was frozen while its entries were claimed wakes up, and nothing is there twice', async () => {
  const env = {
    DATABASE_URL: service.databaseUrl,
    REDIS_URL: await redisUrl(),
    STREAM_PREFIX: service.prefix,
    CONSUMER_NAME: 'frozen',
    BATCH_MAX_AGE_MS: '4000',
    HTTP_PORT: '0',
    LOG_LEVEL: 'info',
  }
  const frozen = new RunningCommand(['serve', '--only', 'ingest'], { env })
  try {
    await frozen.says('"msg":"started"')
    const added = await eventually(async () => {
      const each = await add(20)
      expect(await heldBy('frozen')).not.toEqual([])
      return each
    })
    const held = await heldBy('frozen')
    frozen.child.kill('SIGSTOP')
    // As it ends by itself after 15 s.
    await service.redis.del(leaseOf('frozen'))
    await eventually(async () => expect(await heldBy('frozen')).toEqual([]))
    await becomeStored(added.bodies)
    frozen.child.kill('SIGCONT')
    const url = /"url":"([^"]+)"/.exec(frozen.stderr)?.[1]
    await eventually(async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const duplicates = /^observatory_records_duplicate_total\{signal="logs"\} (\d+)$/m.exec(metrics)?.[1]
      expect(Number(duplicates)).toBe(held.length)
    })
    frozen.child.kill('SIGTERM')
    expect((await frozen.finished).code).toBe(0)
    expect(await stored(added.bodies)).toEqual([...added.bodies].sort())
  } finally {
    frozen.child.kill('SIGCONT')
    await frozen.kill()
  }
})

const redisUrl = async () =>
  `redis://${service.redis.options.host}:${service.redis.options.port}/${service.redis.options.db}`
