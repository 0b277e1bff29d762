import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../../src/migrate.ts'
import { eventually } from '../helpers/eventually.ts'
import { endWith, observatory } from '../helpers/observatory.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const ENTRIES = 40_000
const KILLS = 3

let databaseUrl: string
let prefix: string
let env: Record<string, string>
let redis: Redis
let worker: ChildProcess | undefined

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  const stream = await createTestPrefix()
  prefix = stream.prefix
  redis = new Redis(stream.redisUrl)
  env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: stream.redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
    BATCH_MAX_ROWS: '2000',
  }
  await migrate({ databaseUrl })
})

afterAll(async () => {
  if (worker !== undefined) await endWith(worker, 'SIGKILL')
  redis?.disconnect()
})

async function count(sql: string): Promise<number> {
  const rows = await withPostgres(databaseUrl, async (client) => (await client.query(sql)).rows)
  return Number(rows[0]?.count)
}

/** The body of every record is a function of its number. */
async function addEntries(): Promise<void> {
  for (let from = 0; from < ENTRIES; from += 2000) {
    const pipeline = redis.pipeline()
    for (let number = from; number < from + 2000; number += 1) {
      pipeline.xadd(
        `${prefix}:logs`,
        '*',
        'json',
        JSON.stringify({ service: 'load', body: `record ${number}` }),
      )
    }
    await pipeline.exec()
  }
}

const written = () => count('select count(*) from log_records')

describe('a worker killed with SIGKILL', () => {
  it('leaves each of 40,000 entries in exactly once, after restarts under load', async () => {
    const adding = addEntries()
    let heldByTheKilled = 0
    for (let kill = 1; kill <= KILLS; kill += 1) {
      worker = observatory(['serve', '--only', 'ingest'], env)
      const goal = (kill * ENTRIES) / (KILLS + 2)
      await eventually(async () => expect(await written()).toBeGreaterThan(goal), { timeoutMs: 60_000 })
      await delay(Math.random() * 100)
      await endWith(worker, 'SIGKILL')
      const [pending] = (await redis.xpending(`${prefix}:logs`, 'observatory')) as [number]
      heldByTheKilled += pending
    }
    await adding
    worker = observatory(['serve', '--only', 'ingest'], env)
    await eventually(async () => expect(await written()).toBe(ENTRIES), { timeoutMs: 60_000 })
    expect(await endWith(worker, 'SIGTERM')).toBe(0)

    expect(await count('select count(distinct body) from log_records')).toBe(ENTRIES)
    expect(await count('select count(distinct (entry_ms, entry_seq)) from log_records')).toBe(ENTRIES)
    expect(await count('select sum(row_count) as count from ingest_ledger')).toBe(ENTRIES)
    expect(await count('select count(*) from dead_letters')).toBe(0)
    const [pending] = await redis.xpending(`${prefix}:logs`, 'observatory')
    expect(pending).toBe(0)
    // The kills struck in the middle: entries were held, and were delivered again to the name that held them.
    expect(heldByTheKilled).toBeGreaterThan(0)
    const consumers = (await redis.xinfo('CONSUMERS', `${prefix}:logs`, 'observatory')) as unknown[]
    expect(consumers).toHaveLength(1)
  }, 180_000)
})
