import { once } from 'node:events'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { ResultCache } from '../../src/repositories/result-cache.ts'
import { LOG_LEVELS, StatisticsRepository } from '../../src/repositories/statistics-repository.ts'
import { markChanged } from '../../src/retention/rollups/changed-minutes.ts'
import { rollUpNewestHour } from '../../src/retention/rollups/roll-up.ts'
import { LOG_ROLLUP } from '../../src/retention/rollups/rollup.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { startOwnRedis } from '../helpers/own-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const HOUR_NS = 3_600_000_000_000n
const MINUTE_NS = HOUR_NS / 60n
/** The beginning of an hour, yesterday. */
const START = (BigInt(Date.now()) / 3_600_000n - 24n) * HOUR_NS
const RANGE = `from=${START}&to=${START + HOUR_NS}`

let app: TestService
let pool: pg.Pool

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  pool = createPool({
    databaseUrl: app.databaseUrl,
    applicationName: 'cached answers test',
    max: 4,
    onError: () => undefined,
  })
})
afterAll(async () => {
  await pool?.end()
  await app?.close()
})

const never = new AbortController().signal
const log = (time: bigint, level = 'info') => ({
  level,
  service: 'bot',
  message: 'line',
  timeUnixNano: String(time),
})

async function write(records: readonly object[]): Promise<void> {
  const writer = new LogWriter({ pool })
  writer.end(records)
  await once(writer, 'finish')
}

async function outcomes(): Promise<Record<string, number>> {
  const text = await (await app.get('/metrics')).text()
  return Object.fromEntries(
    [...text.matchAll(/^observatory_cached_answers_total\{outcome="(\w+)"\} (\d+)/gm)].map(
      ([, name, count]) => [name, Number(count)],
    ),
  )
}

/** What the cache counted while `work` ran. */
async function counted(work: () => Promise<void>): Promise<Record<string, number>> {
  const before = await outcomes()
  await work()
  const after = await outcomes()
  const added = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
  return Object.fromEntries(added.filter(([, count]) => count > 0))
}

async function levels(range = RANGE): Promise<unknown> {
  const answer = await app.get(`/api/v1/logs/levels?${range}`)
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { data: unknown }).data
}

test('an answer is kept until something in its time range changes, and is then made anew', async () => {
  await write([log(START)])
  const first = await levels()
  await eventually(async () =>
    expect(await counted(async () => expect(await levels()).toEqual(first))).toEqual({ hit: 1 }),
  )
  await write([log(START + HOUR_NS), log(START - 1n)])
  expect(await counted(async () => expect(await levels()).toEqual(first))).toEqual({ hit: 1 })
  await write([log(START + HOUR_NS - 1n)])
  const changed = async () => expect(await levels()).toEqual([{ level: 'info', count: 2 }])
  expect(await counted(changed)).toEqual({ stale: 1 })
  expect(await counted(changed)).toEqual({ hit: 1 })
})

test('an answer has a name by which a client asks whether it is still so', async () => {
  const ask = (headers: Record<string, string> = {}) =>
    fetch(`${app.service.url}/api/v1/logs/levels?${RANGE}`, { headers })
  const etag = (await ask()).headers.get('etag') ?? ''
  expect(etag).toMatch(/^W\/".+-json"$/)
  const again = await ask({ 'if-none-match': etag })
  expect([again.status, await again.text()]).toEqual([304, ''])
  expect((await ask({ 'if-none-match': etag, accept: 'application/x-ndjson' })).status).toBe(200)
  await write([log(START + 5n)])
  const changed = await ask({ 'if-none-match': etag })
  expect([changed.status, changed.headers.get('etag') === etag]).toEqual([200, false])
  await changed.body?.cancel()
})

test('what was read before a transaction committed is not given after it, whenever it was kept', async () => {
  const cache = new ResultCache({ redis: app.redis, prefix: `${app.prefix}:own`, maxBytes: 1e6 })
  const from = START + 5n * HOUR_NS
  const question = { signal: 'logs' as const, question: 'levels', from, to: from + HOUR_NS }
  const read = (rows: readonly string[], meanwhile: () => Promise<unknown> = async () => undefined) =>
    cache
      .answer(
        pool,
        {
          ...question,
          read: async () => {
            await meanwhile()
            return Readable.from(rows.map((row) => [row]))
          },
        },
        never,
      )
      .then(async (rows) => (await rows.toArray()).flat())

  const client = await pool.connect()
  try {
    await client.query('begin')
    await markChanged(client, 'logs', [Number(from / MINUTE_NS)])
    // One that began later has ended: what is between them is seen by its own id alone.
    await pool.query('select pg_current_xact_id()')
    // A transaction that is open: what is read does not have it.
    expect(await read(['before'])).toEqual(['before'])
    expect(await read(['not read'])).toEqual(['before'])
    await client.query('commit')
    expect(await read(['after'])).toEqual(['after'])
    expect(await read(['not read'])).toEqual(['after'])

    await client.query('begin')
    await markChanged(client, 'logs', [Number(from / MINUTE_NS)])
    await app.redis.del(...(await app.redis.keys(`${app.prefix}:own:*`)))
    // Commits between the reading and the keeping.
    expect(await read(['older'], () => client.query('commit'))).toEqual(['older'])
    expect(await read(['newer'])).toEqual(['newer'])
    // Rolled back, it has changed nothing.
    expect(await read(['not read'])).toEqual(['newer'])
    await client.query('begin')
    await markChanged(client, 'logs', [Number(from / MINUTE_NS)])
    await client.query('rollback')
    expect(await read(['not read'])).toEqual(['newer'])
  } finally {
    client.release()
  }
})

test('whatever is written and rolled up meanwhile, a cached answer is that of now', async () => {
  const cache = new ResultCache({ redis: app.redis, prefix: `${app.prefix}:random`, maxBytes: 4e5 })
  const cached = new StatisticsRepository(pool, cache)
  const { rolled: _, ...ofRows } = LOG_LEVELS
  const plain = new StatisticsRepository(pool)
  const base = START + 10n * HOUR_NS
  const MINUTE = fc.nat(200)
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      minutes: fc.array(MINUTE, { minLength: 1, maxLength: 5 }),
    }),
    fc.constant({ kind: 'roll up' as const }),
    fc.record({ kind: fc.constant('ask' as const), from: MINUTE, length: fc.constantFrom(1, 60, 120) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
      for (const each of steps) {
        if (each.kind === 'write')
          await write(each.minutes.map((minute) => log(base + BigInt(minute) * MINUTE_NS)))
        else if (each.kind === 'roll up') {
          const client = await pool.connect()
          await rollUpNewestHour(client, LOG_ROLLUP, Number(base / MINUTE_NS) + 300)
          client.release()
        } else {
          const from = base + BigInt(each.from) * MINUTE_NS
          const filter = { from, to: from + BigInt(each.length) * MINUTE_NS, limit: null }
          const grouping = { by: ['level'], step: undefined, signal: never }
          const answer = await (await cached.streamGroups(LOG_LEVELS, filter, grouping)).toArray()
          expect(answer).toEqual(await (await plain.streamGroups(ofRows, filter, grouping)).toArray())
        }
      }
    }),
    { numRuns: 25 },
  )
})

test('whatever is asked, it takes no more of Redis than it may, and nothing of a Redis that is nearly full', async () => {
  const redis = await startOwnRedis({ 'maxmemory-policy': 'noeviction', maxmemory: '24mb', appendonly: 'no' })
  const client = new Redis(redis.url)
  try {
    const cache = new ResultCache({ redis: client, prefix: 'own', maxBytes: 512 * 1024 })
    const ask = async (question: number, length: number) => {
      const rows = await cache.answer(
        pool,
        {
          signal: 'logs',
          question,
          from: 0n,
          to: 1n,
          read: async () => Readable.from([['x'.repeat(length)]]),
        },
        never,
      )
      return ((await rows.toArray()).flat()[0] as string).length
    }
    for (let question = 0; question < 40; question += 1) expect(await ask(question, 60_000)).toBe(60_000)
    expect(await client.keys('*')).toHaveLength(4)
    expect(await ask(41, 1_000_000)).toBe(1_000_000)

    await client.flushdb()
    for (let key = 0; key < 20; key += 1) await client.set(`filling:${key}`, 'x'.repeat(1_000_000))
    for (let question = 0; question < 10; question += 1) expect(await ask(question, 60_000)).toBe(60_000)
    expect(await client.keys('own:*')).toEqual([])
  } finally {
    client.disconnect()
    await redis.close()
  }
})

test('without Redis, questions are answered all the same', async () => {
  const client = new Redis('redis://127.0.0.1:1', {
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
  })
  client.on('error', () => undefined)
  const cache = new ResultCache({ redis: client, prefix: 'none', maxBytes: 1e6 })
  const question = {
    signal: 'logs' as const,
    question: 1,
    from: 0n,
    to: 1n,
    read: async () => Readable.from([['row']]),
  }
  const rows = await cache.answer(pool, question, never)
  expect(await rows.toArray()).toEqual([['row']])
  client.disconnect()
})
