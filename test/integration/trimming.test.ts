import fc from 'fast-check'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { StreamKeeper } from '../../src/ingest/stream-keeper.ts'
import { trimStream } from '../../src/ingest/trim-stream.ts'
import { createLogger } from '../../src/logger.ts'
import { createMetrics, type Metrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { eventually } from '../helpers/eventually.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { startTestService } from '../helpers/test-service.ts'

const GROUP = 'observatory'
const STREAM = 'trimmed:logs'

let ownRedis: OwnRedis
let redis: Redis

beforeAll(async () => {
  // Whole nodes only are trimmed: with one entry each, what goes is known to the entry.
  ownRedis = await startOwnRedis({ appendonly: 'no', 'stream-node-max-entries': '1' })
  redis = new Redis(ownRedis.url)
})
afterAll(async () => {
  redis?.disconnect()
  await ownRedis?.close()
})
beforeEach(async () => {
  await redis.flushall()
  await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM')
})

const trim = (keep: number) => trimStream(redis, { stream: STREAM, group: GROUP }, keep)

/** Ids of the stream, in milliseconds. */
const ids = async () => (await redis.xrange(STREAM, '-', '+')).map(([id]) => Number.parseInt(id, 10))

async function add(from: number, to: number): Promise<void> {
  for (let ms = from; ms <= to; ms += 1) await redis.xadd(STREAM, `${ms}-0`, 'message', 'x')
}

/** @returns how many were read. */
async function read(count: number, group = GROUP, consumer = 'c'): Promise<number> {
  const reply = (await redis.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'STREAMS', STREAM, '>')) as
    | [string, unknown[]][]
    | null
  return reply?.[0]?.[1].length ?? 0
}

const ack = (group: string, ...ms: number[]) => redis.xack(STREAM, group, ...ms.map((each) => `${each}-0`))

async function readAndAck(from: number, to: number, group = GROUP): Promise<void> {
  await read(to - from + 1, group)
  await ack(group, ...Array.from({ length: to - from + 1 }, (_, index) => from + index))
}

describe('trimming', () => {
  test('removes what is done with, down to what is to be kept', async () => {
    await add(1, 20)
    await readAndAck(1, 20)
    expect(await trim(5)).toEqual({ trimmed: 15, heldUpBy: undefined, destroyedUnread: 0 })
    expect(await ids()).toEqual([16, 17, 18, 19, 20])
    expect(await trim(5)).toMatchObject({ trimmed: 0 })
  })

  test('stops before an entry that is not acknowledged, whichever consumer has it', async () => {
    await add(1, 10)
    await read(4, GROUP, 'slow')
    await read(6)
    await ack(GROUP, 1, 2, 4, 5, 6, 7, 8, 9, 10)
    await trim(0)
    expect(await ids()).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('stops before an entry that nobody has read', async () => {
    await add(1, 10)
    await readAndAck(1, 4)
    await trim(0)
    // The last one that was delivered stays with it.
    expect(await ids()).toEqual([4, 5, 6, 7, 8, 9, 10])
  })

  test('stops before what another group needs, and names it', async () => {
    await redis.xgroup('CREATE', STREAM, 'backup', '0')
    await add(1, 10)
    await readAndAck(1, 10)
    await readAndAck(1, 2, 'backup')
    await read(1, 'backup')
    expect(await trim(0)).toMatchObject({ trimmed: 2, heldUpBy: { group: 'backup', from: '3-0' } })
    expect(await ids()).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
    expect(await trim(8), 'what is to be kept anyway is held up by nobody').toMatchObject({
      heldUpBy: undefined,
    })
  })

  test('does nothing without the stream or without our group', async () => {
    await add(1, 10)
    await readAndAck(1, 10)
    await redis.xgroup('CREATE', STREAM, 'backup', '$')
    await redis.xgroup('DESTROY', STREAM, GROUP)
    expect(await trim(0)).toBeUndefined()
    expect(await ids()).toHaveLength(10)
    await redis.del(STREAM)
    expect(await trim(0)).toBeUndefined()
    expect(await redis.exists(STREAM)).toBe(0)
  })

  test('compares ids as numbers, up to 2^64-1', async () => {
    const all = ['9-10', '10-9', '99-18446744073709551615', '100-0', '18446744073709551615-0']
    for (const id of all) await redis.xadd(STREAM, id, 'message', 'x')
    await read(5)
    await redis.xack(STREAM, GROUP, '9-10', '10-9', '100-0')
    await trim(0)
    expect((await redis.xrange(STREAM, '-', '+')).map(([id]) => id)).toEqual(all.slice(2))
  })

  test('of any stream with any groups takes exactly what nobody needs', async () => {
    const groups = [GROUP, 'backup', 'third']
    const group = fc.constantFrom(...groups)
    const amount = fc.constantFrom(1, 3, 8, 20)
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), amount }),
      fc.record({ kind: fc.constant('add' as const), amount }),
      fc.record({ kind: fc.constant('read' as const), group, amount }),
      fc.record({ kind: fc.constant('read' as const), group, amount }),
      fc.record({ kind: fc.constant('ack' as const), group, every: fc.constantFrom(1, 1, 1, 2) }),
      fc.record({ kind: fc.constant('create' as const), group, at: fc.constantFrom('0', '$', '$', '$') }),
      fc.record({ kind: fc.constant('destroy' as const), group }),
      fc.record({ kind: fc.constant('destroy' as const), group }),
      fc.record({ kind: fc.constant('trim' as const), keep: fc.constant(0) }),
      fc.record({ kind: fc.constant('trim' as const), keep: fc.integer({ min: 0, max: 10 }) }),
    )
    let trimmed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
        await redis.flushall()
        await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM')
        let last = 0
        let entries: number[] = []
        const model = new Map([[GROUP, { last: 0, pending: new Set<number>() }]])
        for (const step of steps) {
          const state = 'group' in step ? model.get(step.group) : undefined
          if (step.kind === 'add') {
            await add(last + 1, last + step.amount)
            for (let each = 0; each < step.amount; each += 1) entries.push(++last)
          } else if (step.kind === 'create' && state === undefined) {
            await redis.xgroup('CREATE', STREAM, step.group, step.at)
            model.set(step.group, { last: step.at === '0' ? 0 : last, pending: new Set() })
          } else if (step.kind === 'destroy' && step.group !== GROUP) {
            await redis.xgroup('DESTROY', STREAM, step.group)
            model.delete(step.group)
          } else if (step.kind === 'read' && state !== undefined) {
            await read(step.amount, step.group)
            for (const id of entries.filter((id) => id > state.last).slice(0, step.amount)) {
              state.last = id
              state.pending.add(id)
            }
          } else if (step.kind === 'ack' && state !== undefined) {
            const acked = [...state.pending].filter((id) => id % step.every === 0)
            if (acked.length > 0) await ack(step.group, ...acked)
            for (const id of acked) state.pending.delete(id)
          } else if (step.kind === 'trim') {
            const needed = Math.min(...[...model.values()].flatMap(({ last, pending }) => [last, ...pending]))
            const free = entries.filter((id) => id < needed).length
            const expected = Math.min(free, Math.max(0, entries.length - step.keep))
            expect(await trim(step.keep)).toMatchObject({ trimmed: expected, destroyedUnread: 0 })
            entries = entries.slice(expected)
            trimmed += expected
            expect(await ids()).toEqual(entries)
          }
        }
      }),
      { numRuns: 100, seed: 20_261_125, endOnFailure: true },
    )
    expect(trimmed, 'something was trimmed').toBeGreaterThan(100)
  })
})

describe('entries that somebody else removed before they were read', () => {
  // The first look at a run of Redis counts nothing.
  beforeEach(() => trim(1000))

  test('are told once, and are no lag any more', async () => {
    await add(1, 20)
    await readAndAck(1, 4)
    await redis.xtrim(STREAM, 'MAXLEN', 10)
    expect(await trim(100)).toMatchObject({ destroyedUnread: 6 })
    expect(await trim(100)).toMatchObject({ destroyedUnread: 0 })
    expect(await lag()).toBe(10)
    await readAndAck(11, 20)
    expect(await trim(3)).toMatchObject({ trimmed: 7, destroyedUnread: 0 })
    expect(await trim(3)).toMatchObject({ destroyedUnread: 0 })
    expect(await lag()).toBe(0)
  })

  test('are told when our group has read on since', async () => {
    await add(1, 20)
    await readAndAck(1, 4)
    await redis.xtrim(STREAM, 'MAXLEN', 10)
    await readAndAck(11, 15)
    expect(await trim(100), 'not known yet').toMatchObject({ destroyedUnread: 0 })
    await readAndAck(16, 20)
    expect(await trim(100)).toMatchObject({ destroyedUnread: 6 })
    expect(await lag()).toBe(0)
  })

  test('are told of XADD MAXLEN, and of XDEL when that is seen before they would have been read', async () => {
    await add(1, 10)
    await readAndAck(1, 2)
    await redis.xadd(STREAM, 'MAXLEN', '=', 5, '11-0', 'message', 'x')
    expect(await trim(100)).toMatchObject({ destroyedUnread: 4 })
    await redis.xdel(STREAM, '9-0')
    expect(await trim(100)).toMatchObject({ destroyedUnread: 1 })
  })

  test('are not those that were read, whatever became of them', async () => {
    await add(1, 20)
    await readAndAck(1, 12)
    await redis.xdel(STREAM, '3-0', '12-0')
    await redis.xtrim(STREAM, 'MAXLEN', 10)
    await readAndAck(13, 18)
    await redis.xtrim(STREAM, 'MAXLEN', 2)
    await add(21, 25)
    await readAndAck(19, 25)
    expect(await trim(100)).toMatchObject({ destroyedUnread: 0 })
  })

  async function lag(): Promise<unknown> {
    const [group] = (await redis.xinfo('GROUPS', STREAM)) as unknown[][]
    return group?.[group.indexOf('lag') + 1]
  }
})

describe('a stream keeper', () => {
  let databaseUrl: string
  let pool: pg.Pool
  let keepers: StreamKeeper[]

  beforeAll(async () => {
    ;({ databaseUrl } = await createTestDatabase())
  })
  beforeEach(() => {
    keepers = []
    pool = createPool({ databaseUrl, applicationName: 'keeper', max: 2, onError: () => undefined })
  })
  afterEach(async () => {
    for (const keeper of keepers) await keeper.stop()
    await pool.end()
  })

  function keep(): { metrics: Metrics; logged: (level: string) => string[] } {
    const lines: { level: string; msg: string }[] = []
    const metrics = createMetrics()
    const logger = createLogger({
      level: 'info',
      pretty: false,
      write: (line) => lines.push(JSON.parse(line)),
    })
    const keeper = new StreamKeeper({
      redis,
      pool,
      groupOf: (signal) => ({ stream: `trimmed:${signal}`, group: GROUP }),
      isAlive: async () => true,
      keepEntries: 5,
      ledgerKeepDays: 7,
      deadConsumerIdleMs: 60_000,
      metrics,
      logger,
      intervalMs: 20,
    })
    keepers.push(keeper)
    return { metrics, logged: (level) => lines.filter((line) => line.level === level).map(({ msg }) => msg) }
  }

  const signalValue = async (metric: Metrics['entriesLost'] | Metrics['trimmingHeldUp']) =>
    (await metric.get()).values.find(({ labels }) => labels.signal === 'logs')?.value

  test('trims and counts what it trims', async () => {
    await add(1, 20)
    await readAndAck(1, 20)
    const { metrics } = keep()
    await eventually(async () => expect(await ids()).toEqual([16, 17, 18, 19, 20]))
    await eventually(async () => expect(await signalValue(metrics.entriesTrimmed)).toBe(15))
  })

  test('says once of a foreign group that does not go on, and takes the alarm back when it does', async () => {
    await redis.xgroup('CREATE', STREAM, 'backup', '0')
    await add(1, 20)
    await readAndAck(1, 20)
    const { metrics, logged } = keep()
    await eventually(async () => expect(await signalValue(metrics.trimmingHeldUp)).toBe(1))
    await add(21, 25)
    await readAndAck(21, 25)
    expect(await ids()).toHaveLength(25)
    expect(logged('error')).toEqual([expect.stringMatching(/^a group that does not go on/)])
    await readAndAck(1, 25, 'backup')
    await eventually(async () => expect(await signalValue(metrics.trimmingHeldUp)).toBe(0))
    await eventually(async () => expect(await ids()).toHaveLength(5))
    expect(logged('error')).toHaveLength(1)
  })

  test('does not warn of a foreign group that is only slower', async () => {
    await redis.xgroup('CREATE', STREAM, 'slow', '0')
    await add(1, 100)
    await readAndAck(1, 100)
    const { metrics, logged } = keep()
    for (let each = 1; each <= 90; each += 1) {
      await readAndAck(each, each, 'slow')
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(await signalValue(metrics.trimmingHeldUp)).not.toBe(1)
    }
    expect(await signalValue(metrics.entriesTrimmed)).toBeGreaterThan(50)
    expect(logged('warn')).toEqual([])
  })

  test('of several, one counts and logs as an error what was removed before it was read', async () => {
    const several = [keep(), keep(), keep()]
    await eventually(async () => expect(await signalValue(several[2]!.metrics.trimmingHeldUp)).toBe(0))
    await add(1, 20)
    await redis.xtrim(STREAM, 'MAXLEN', 8)
    const lost = async () =>
      (await Promise.all(several.map(({ metrics }) => signalValue(metrics.entriesLost)))).reduce<number>(
        (sum, each) => sum + (each ?? 0),
        0,
      )
    await eventually(async () => expect(await lost()).toBe(12))
    await readAndAck(13, 20)
    await eventually(async () => expect(await ids()).toHaveLength(5))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await lost()).toBe(12)
    expect(several.flatMap(({ logged }) => logged('error'))).toEqual([
      expect.stringMatching(/removed from the stream before they were read, and are lost/),
    ])
  })
})

test('a service trims behind its own reading, keeps STREAM_KEEP_ENTRIES and calls nothing lost', async () => {
  const service = await startTestService({ STREAM_KEEP_ENTRIES: '250' })
  try {
    const stream = `${service.prefix}:logs`
    const pipeline = service.redis.pipeline()
    for (let n = 0; n < 1000; n += 1) pipeline.xadd(stream, '*', 'message', `record ${n}`)
    await pipeline.exec()
    await eventually(async () => expect(await service.redis.xlen(stream)).toBeLessThan(400), {
      timeoutMs: 20_000,
    })
    expect(await service.redis.xlen(stream)).toBeGreaterThanOrEqual(250)
    expect(await service.query('select count(*)::int as n from log_records')).toEqual([{ n: 1000 }])
    await eventually(async () => {
      const metrics = await (await service.get('/metrics')).text()
      expect(metrics).toMatch(/^observatory_entries_lost_total\{signal="logs"\} 0$/m)
      expect(metrics).toMatch(/^observatory_stream_trimming_held_up\{signal="logs"\} 0$/m)
    })
  } finally {
    await service.close()
  }
})

test('a Redis that was started again, and has forgotten what was read, calls nothing lost', async () => {
  const own = await startOwnRedis()
  const redis = new Redis(own.url)
  redis.on('error', () => undefined)
  const group = { stream: 'logs', group: 'g' }
  const read = async (count: number) => {
    for (let n = 0; n < count; n += 1) await redis.xadd('logs', '*', 'message', 'x')
    const reply = (await redis.xreadgroup('GROUP', 'g', 'c', 'COUNT', count, 'STREAMS', 'logs', '>')) as [
      string,
      [string, string[]][],
    ][]
    const ids = reply[0]?.[1].map(([id]) => id) ?? []
    await redis.xack('logs', 'g', ...ids)
    return ids.at(-1) ?? ''
  }
  try {
    await redis.xgroup('CREATE', 'logs', 'g', '0', 'MKSTREAM')
    const last = await read(100)
    await redis.xgroup('SETID', 'logs', 'g', last, 'ENTRIESREAD', 100)
    expect(await trimStream(redis, group, 1000)).toMatchObject({ destroyedUnread: 0 })
    await read(50)
    await own.end('SIGKILL')
    await own.start()
    await eventually(() => redis.ping())
    const [fields] = (await redis.xinfo('GROUPS', 'logs')) as [unknown[]]
    expect(fields[fields.indexOf('entries-read') + 1], 'it has forgotten').toBe(100)
    expect(await trimStream(redis, group, 1000)).toMatchObject({ destroyedUnread: 0 })

    // Nor when the first look finds it in the middle of the stream, where nothing can be counted.
    await read(50)
    for (let n = 0; n < 20; n += 1) await redis.xadd('logs', '*', 'message', 'x')
    await own.end('SIGKILL')
    await own.start()
    await eventually(() => redis.ping())
    expect(await trimStream(redis, group, 1000), 'in the middle').toMatchObject({ destroyedUnread: 0 })
    await redis.xreadgroup('GROUP', 'g', 'c', 'COUNT', 20, 'STREAMS', 'logs', '>')
    expect(await trimStream(redis, group, 1000), 'at its end').toMatchObject({ destroyedUnread: 0 })

    // From then on it is noticed again.
    for (let n = 0; n < 20; n += 1) await redis.xadd('logs', '*', 'message', 'x')
    await redis.xtrim('logs', 'MAXLEN', 5)
    expect(await trimStream(redis, group, 1000)).toMatchObject({ destroyedUnread: 15 })
  } finally {
    redis.disconnect()
    await own.close()
  }
})
