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
let pool: pg.Pool
let told: string[][]
let counted: number
let isStale: boolean

beforeEach(async () => {
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  redis = new Redis(redisUrl)
  const { databaseUrl } = await createTestDatabase()
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

function vanished(): VanishedEntries {
  return new VanishedEntries({
    pool,
    redis,
    stream,
    group: GROUP,
    frozenSessions: new FrozenSessions(pool, 60_000),
    isStale: () => isStale,
    onLost: (ids) => told.push([...ids]),
    onLostAcknowledged: (count) => {
      counted += count
    },
    patienceMs: 200,
  })
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
  await expect(vanished().settle(IDS)).rejects.toMatchObject({ code: '55P03' })
  expect([told, await pending()]).toEqual([[], 3])
  await batch.query('commit')
  batch.release()
  await vanished().settle(IDS)
  expect([told, counted, await pending()]).toEqual([[['1-0', '3-0']], 2, 0])
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
  await vanished().settle(IDS)
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
  const silent = { connect: async () => new SilentClient() as unknown as pg.PoolClient }
  const entries = new VanishedEntries({
    pool: silent,
    redis,
    stream,
    group: GROUP,
    frozenSessions: new FrozenSessions(pool, 60_000),
    isStale: () => false,
    onLost: (ids) => told.push([...ids]),
    onLostAcknowledged: () => undefined,
  })
  await expect(entries.settle(IDS)).rejects.toThrow(/timeout/i)
  expect(await pending()).toBe(3)
}, 20_000)

/** As a connection that a network swallows: connected, and never an answer. */
class SilentClient extends pg.Client {
  release(): void {}
}
