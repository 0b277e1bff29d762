import type { ChildProcess } from 'node:child_process'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../src/migrate.ts'
import { eventually } from '../helpers/eventually.ts'
import { endWith, observatory } from '../helpers/observatory.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const MIB = 1024 * 1024

let databaseUrl: string
let stream: string
let redis: Redis
let env: Record<string, string>
let worker: ChildProcess | undefined

beforeEach(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  await migrate({ databaseUrl })
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  redis = new Redis(redisUrl)
  env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
    IN_FLIGHT_MAX_BYTES: String(16 * MIB),
    NODE_OPTIONS: '--max-old-space-size=200',
  }
})

afterEach(async () => {
  if (worker !== undefined) await endWith(worker, 'SIGKILL')
  worker = undefined
  redis.disconnect()
})

/** Runs a worker with a heap of 200 MB until nothing of the stream is left. */
async function ingestAll(): Promise<void> {
  worker = await observatory(['serve', '--only', 'ingest'], env)
  await eventually(
    async () => {
      expect(worker?.exitCode, 'the worker lives').toBeNull()
      expect(worker?.signalCode, 'the worker lives').toBeNull()
      const [group] = (await redis.xinfo('GROUPS', stream)) as [string[]]
      const state = Object.fromEntries(group.flatMap((name, n) => (n % 2 ? [] : [[name, group[n + 1]]])))
      expect(state).toMatchObject({ pending: 0, lag: 0 })
    },
    { timeoutMs: 60_000 },
  )
}

async function countOf(table: string): Promise<unknown> {
  return (await select(databaseUrl, `select count(*)::int as n from ${table}`))[0]?.n
}

test('arrays of tiny refused records take no more memory than is allowed', async () => {
  const [entries, records] = [20, 15_000]
  const zeros = `[${'0,'.repeat(records - 1)}0]`
  for (let n = 0; n < entries; n += 1) await redis.xadd(stream, '*', 'json', zeros)
  await ingestAll()
  expect(await countOf('dead_letters')).toBe(entries * records)
}, 90_000)

test('an array of too many records is refused as a whole', async () => {
  await redis.xadd(stream, '*', 'json', `[${'0,'.repeat(20_000)}0]`)
  await redis.xadd(stream, '*', 'message', 'good')
  await ingestAll()
  expect(await select(databaseUrl, 'select record_index, reason, detail from dead_letters')).toEqual([
    {
      record_index: -1,
      reason: 'too_large',
      detail: 'an entry must have at most 20000 records, not 20001',
    },
  ])
  expect(await countOf('log_records')).toBe(1)
}, 90_000)

test('a resource of its own in every record, each of them large, takes no more memory than is allowed', async () => {
  const records = 1500
  for (let n = 0; n < records; n += 1) {
    const resource = { attributes: { n, padding: 'x'.repeat(100_000) } }
    await redis.xadd(stream, '*', 'json', JSON.stringify({ message: 'm', resource }))
  }
  await ingestAll()
  expect([await countOf('log_records'), await countOf('resources')]).toEqual([records, records])
}, 90_000)
