import { EventEmitter, once } from 'node:events'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { VanishedEntries } from '../../src/ingest/vanished-entries.ts'
import { parseEntryId } from '../../src/models/stream-entry.ts'
import { createPool } from '../../src/pool.ts'
import { FrozenSessions } from '../../src/writers/frozen-sessions.ts'
import { claimEntries } from '../../src/writers/ledger.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const GROUP = 'g'
const IDS = ['1-0', '2-0', '3-0'] as const

let stream: string
let redis: Redis
let databaseUrl: string
let pool: pg.Pool
let told: string[][]
let counted: number
let isStale: boolean

beforeEach(async () => {
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  redis = new Redis(redisUrl)
  ;({ databaseUrl } = await createTestDatabase())
  pool = createPool({ databaseUrl, applicationName: 'vanished', max: 4, onError: () => undefined })
  told = []
  counted = 0
  isStale = false
  for (const id of IDS) await redis.xadd(stream, id, 'message', 'x')
  await redis.xgroup('CREATE', stream, GROUP, '0')
  await redis.xreadgroup('GROUP', GROUP, 'c', 'STREAMS', stream, '>')
  await redis.xdel(stream, ...IDS)
})

afterEach(async () => {
  redis.disconnect()
  await pool.end()
})

const vanished = () => new VanishedEntries(options())

function options() {
  return {
    pool,
    redis,
    stream,
    group: GROUP,
    frozenSessions: new FrozenSessions(pool, 60_000),
    isStale: () => isStale,
    onLost: (ids: readonly string[]) => told.push([...ids]),
    onLostAcknowledged: (count: number) => {
      counted += count
    },
    onFrozenEnded: () => undefined,
    patienceMs: 200,
    pauseMs: 0,
  }
}

const pending = async () => Number((await redis.xpending(stream, GROUP))[0])

/** Begins a batch of these entries. The caller ends it. */
async function begin(...ids: string[]): Promise<pg.PoolClient> {
  const client = await pool.connect()
  await client.query('begin')
  const entries = ids.map((id) => ({ id: parseEntryId(id), crc: 7 }))
  const ranges = entries.map(({ id }) => ({ first: id, last: id }))
  await claimEntries(client, { stream, ranges, entries, rowCount: 0, letterCount: 0 })
  return client
}

test('those that a batch is about to commit are not called lost: nothing is said while one is open', async () => {
  const batch = await begin('2-0')
  expect(await vanished().settle(IDS)).toBe(false)
  expect([told, await pending()]).toEqual([[], 3])
  await batch.query('commit')
  batch.release()
  await vanished().settle(IDS)
  expect([told, counted, await pending()]).toEqual([[['1-0', '3-0']], 2, 0])
})

test('nothing waits for a look that waits: other batches go on, and one that began later is not waited for', async () => {
  const batch = await begin('2-0')
  const looks = new EventEmitter()
  const looking = {
    query: (query: pg.QueryConfig) => pool.query(query).finally(() => looks.emit('look')),
  } as unknown as pg.Pool
  const looked = once(looks, 'look')
  const settling = new VanishedEntries({ ...options(), pool: looking, patienceMs: 20_000 }).settle(IDS)
  await looked
  const later = await begin('9-0')
  await batch.query('commit')
  batch.release()
  const isSettled = await settling
  await later.query('commit')
  later.release()
  expect(isSettled).toBe(true)
  expect(told).toEqual([['1-0', '3-0']])
})

test('after a batch that stays open the next looks are left out for a while', async () => {
  const batch = await begin('2-0')
  const entries = new VanishedEntries({ ...options(), patienceMs: 200, pauseMs: 2000 })
  expect(await entries.settle(IDS)).toBe(false)
  await batch.query('commit')
  batch.release()
  expect(await entries.settle(IDS), 'left out').toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 2200))
  expect(await entries.settle(IDS)).toBe(true)
  expect(told).toEqual([['1-0', '3-0']])
})

test('what a batch commits while it is waited for is seen, whatever isolation the database has by default', async () => {
  await pool.query(
    `alter database ${new URL(databaseUrl).pathname.slice(1)} set default_transaction_isolation = 'repeatable read'`,
  )
  const fresh = createPool({ databaseUrl, applicationName: 'vanished', max: 1, onError: () => undefined })
  try {
    expect((await fresh.query('show transaction_isolation')).rows).toEqual([
      { transaction_isolation: 'read committed' },
    ])
  } finally {
    await fresh.end()
  }
})

test('those of a batch that was rolled back are lost', async () => {
  const batch = await begin('2-0')
  await batch.query('rollback')
  batch.release()
  await vanished().settle(['2-0'])
  expect([told, counted, await pending()]).toEqual([[['2-0']], 1, 2])
})

test('when the ids may bear other entries by now, nothing is told and nothing acknowledged', async () => {
  isStale = true
  expect(await vanished().settle(IDS)).toBe(false)
  expect([told, counted, await pending()]).toEqual([[], 0, 3])
})

test('a loss whose acknowledgement fails is told once, and counted when it is acknowledged', async () => {
  const entries = vanished()
  await redis.rename(stream, `${stream}:elsewhere`)
  await redis.set(stream, 'not a stream')
  for (let attempt = 0; attempt < 2; attempt += 1)
    await expect(entries.settle(IDS)).rejects.toThrow(/WRONGTYPE/)
  expect([told, counted]).toEqual([[[...IDS]], 0])
  await redis.rename(`${stream}:elsewhere`, stream)
  await entries.settle(IDS)
  expect([told, counted, await pending()]).toEqual([[[...IDS]], 3, 0])
})

test('of two workers that find the same ones, one counts each', async () => {
  await Promise.all([vanished().settle(IDS), vanished().settle(IDS)])
  expect([counted, await pending()]).toEqual([3, 0])
})

test('a PostgreSQL that says nothing holds up nobody for ever', async () => {
  // As a connection that a network swallows: it is never connected, and so never answers.
  const entries = new VanishedEntries({ ...options(), pool: new pg.Client() })
  await expect(entries.settle(IDS)).rejects.toThrow(/timeout/i)
  expect(await pending()).toBe(3)
}, 20_000)
