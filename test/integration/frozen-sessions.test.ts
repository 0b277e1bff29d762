import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { FrozenSessions } from '../../src/writers/frozen-sessions.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const FROZEN_AFTER_MS = 600

let databaseUrl: string
let pool: pg.Pool
let sessions: FrozenSessions
let client: pg.Client

beforeEach(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  pool = createPool({ databaseUrl, applicationName: 'looking', max: 1, onError: () => undefined })
  sessions = new FrozenSessions(pool, FROZEN_AFTER_MS)
  client = await openClient({ databaseUrl, applicationName: 'observatory:ingest' })
  await client.query('create table copied (text text)')
})

afterEach(async () => {
  await client.end().catch(() => undefined)
  await pool.end()
})

const endsOne = () => eventually(async () => expect(await sessions.end()).toBe(1), { timeoutMs: 5000 })

test('a COPY that goes on slowly is left alone however long it takes, and ended once it stands still', async () => {
  await client.query('begin')
  const copy = client.query(copyFrom('copy copied from stdin'))
  const failed = once(copy, 'error')
  for (let row = 0; row < 20; row += 1) {
    copy.write(`row ${row}\n`)
    await delay(FROZEN_AFTER_MS / 5)
    expect(await sessions.end(), `after ${row + 1} rows`).toBe(0)
  }
  const stoodStillAt = performance.now()
  await endsOne()
  expect(performance.now() - stoodStillAt).toBeGreaterThan(FROZEN_AFTER_MS * 0.8)
  await failed
})

test('a session that idles in a transaction is ended, one that works or has no transaction is not', async () => {
  await delay(FROZEN_AFTER_MS * 1.5)
  expect(await sessions.end(), 'no transaction').toBe(0)
  await client.query('begin')
  const working = client.query('select pg_sleep(1)')
  await delay(FROZEN_AFTER_MS * 1.3)
  expect(await sessions.end(), 'at work').toBe(0)
  await working
  const idleSince = performance.now()
  await endsOne()
  expect(performance.now() - idleSince).toBeGreaterThan(FROZEN_AFTER_MS * 0.8)
})

test('a session of somebody else is never ended', async () => {
  const other = await openClient({ databaseUrl, applicationName: 'psql' })
  await other.query('begin')
  await delay(FROZEN_AFTER_MS * 1.5)
  expect(await sessions.end()).toBe(0)
  await other.query('commit')
  await other.end()
})
