import { once } from 'node:events'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogRecord } from '../../src/models/log-record.ts'
import { createPool } from '../../src/pool.ts'
import type { WriteRetry } from '../../src/writers/batch-writer.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import type { TelemetryWriterOptions } from '../../src/writers/telemetry-writer.ts'
import { select } from '../helpers/stored.ts'
import { createSwallowingProxy, type SwallowingProxy } from '../helpers/swallowing-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

let databaseUrl: string
let proxy: SwallowingProxy
let pool: pg.Pool
let retries: WriteRetry[]
let ended: number

beforeEach(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  proxy = await createSwallowingProxy(databaseUrl)
  pool = createPool({
    databaseUrl: proxy.databaseUrl,
    applicationName: 'observatory:ingest',
    max: 3,
    lockTimeoutMs: 500,
    onError: () => undefined,
  })
  retries = []
  ended = 0
})

afterEach(async () => {
  await pool.end()
  await proxy.close()
})

async function write(count: number, options: Partial<TelemetryWriterOptions<LogRecord>> = {}): Promise<void> {
  const writer = new LogWriter({
    pool,
    attemptMaxMs: 1000,
    frozenAfterMs: 1000,
    onRetry: (retry) => retries.push(retry),
    onFrozenEnded: (sessions) => {
      ended += sessions
    },
    ...options,
  })
  writer.end(Array.from({ length: count }, (_, n) => ({ message: `record ${n}` })))
  await once(writer, 'finish')
}

async function expectOnce(count: number): Promise<void> {
  expect(
    await select(
      databaseUrl,
      'select count(*)::int as rows, count(distinct body)::int as bodies from log_records',
    ),
  ).toEqual([{ rows: count, bodies: count }])
  expect(proxy.swallowed()).toBe(1)
}

test('a connection that swallows the rows of a COPY is given up, its session ended, and each row is there once', async () => {
  proxy.swallowFrom('from stdin', true)
  await write(3000)
  await expectOnce(3000)
  expect(retries[0]?.error).toMatchObject({
    message: expect.stringMatching(/no answer to a batch within 1000 ms/),
  })
  expect(ended).toBe(1)
})

test('a connection that swallows the COMMIT is given up, its session ended, and each row is there once', async () => {
  proxy.swallowFrom('commit\0', false)
  await write(10)
  await expectOnce(10)
  expect(ended).toBe(1)
})

test('a connection that swallows the answer to the COMMIT is given up, and the ledger knows that it was done', async () => {
  proxy.swallowFrom('commit\0', true)
  await write(10)
  await expectOnce(10)
  expect(ended).toBe(0)
})

test('a server that answers now and then is given all the time it needs', async () => {
  await select(
    databaseUrl,
    `create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$`,
  )
  for (const table of ['log_records', 'ingest_ledger'])
    await select(
      databaseUrl,
      `create trigger slow after insert on ${table} for each statement execute function slowly()`,
    )
  await write(10, { attemptMaxMs: 3500 })
  expect(retries).toEqual([])
})

test('a server that is only slow is given twice the time at each attempt', async () => {
  await select(
    databaseUrl,
    `create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(0.7); return null; end $$`,
  )
  await select(
    databaseUrl,
    'create trigger slow after insert on log_records for each statement execute function slowly()',
  )
  await write(10, { attemptMaxMs: 200 })
  expect(retries.length).toBeGreaterThanOrEqual(2)
  expect(await select(databaseUrl, 'select count(*)::int as rows from log_records')).toEqual([{ rows: 10 }])
})
