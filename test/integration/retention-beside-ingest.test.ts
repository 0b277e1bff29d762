import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogRecord } from '../../src/models/log-record.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { Partitions } from '../../src/retention/partitions.ts'
import type { WriteRetry } from '../../src/writers/batch-writer.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { TelemetryWriter } from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { CREATE_SUMS, retentionPolicy, runOnce, SUMMING_HOOKS } from '../helpers/retention-run.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const DAY = 86_400_000
const policy = retentionPolicy({ logs: 7 })
/** What is written to the tables of ingest waits for a lock no longer than this, whatever retention does. */
const LONGEST_WAIT_MS = 2000

let database: TestDatabase
let pool: pg.Pool
let old: number
/** What has to end after a test however it ended, the last opened first. */
let ends: (() => Promise<unknown>)[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = openPool('retention test')
  ends = [() => pool.end()]
  old = Date.now() - 9 * DAY
  await pool.query(CREATE_SUMS)
})
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  await database.drop()
})

function openPool(applicationName: string): pg.Pool {
  return createPool({ databaseUrl: database.databaseUrl, applicationName, max: 4, onError: () => undefined })
}

async function openReader(): Promise<pg.Client> {
  const client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'long read' })
  ends.push(() => client.end())
  await client.query('begin; select count(*) from log_records')
  return client
}

interface Ingest {
  readonly writer: TelemetryWriter<LogRecord>
  readonly retries: WriteRetry[]
  readonly sent: { late: number; fresh: number }
  /** Late rows are sent as well. */
  late: boolean
  stop(): Promise<void>
}

/** Writes as fast as it goes, in batches of 500, of which every fourth is of the old day where that is asked for. */
function startIngest(): Ingest {
  const own = openPool('observatory:ingest')
  const retries: WriteRetry[] = []
  const writer = new TelemetryWriter<LogRecord>(LOG_RECORD_TABLE, {
    pool: own,
    maxRows: 500,
    partitions: new Partitions({ pool: own, interval: 'day' }),
    onRetry: (retry) => retries.push(retry),
  })
  let going = true
  const sent = { late: 0, fresh: 0 }
  const ingest = { writer, retries, sent, late: false, stop }
  async function send(): Promise<void> {
    for (let round = 0; going; round += 1) {
      const isLate = ingest.late && round % 4 === 0
      const time = isLate ? old : Date.now()
      const records = Array.from({ length: 500 }, (_, n) => ({
        time,
        body: `line ${n}`,
        service: isLate ? 'late' : 'fresh',
      }))
      sent[isLate ? 'late' : 'fresh'] += records.length
      if (!writer.write(records)) await once(writer, 'drain')
    }
  }
  const sending = send()
  async function stop(): Promise<void> {
    if (!going) return
    going = false
    await sending
    writer.end()
    await once(writer, 'finish')
    await own.end()
  }
  // After a test that failed what is written may never be so.
  ends.push(async () => {
    if (!going) return
    going = false
    writer.destroy()
    await own.end()
  })
  return ingest
}

interface Waits {
  /** The longest that a session of ingest was seen to wait for a lock, in milliseconds. */
  longest: number
  looks: number
  stop(): Promise<void>
}

/** Looks every 20 ms for sessions of ingest that wait for a lock of another one. */
async function watchLocks(): Promise<Waits> {
  const client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'watching' })
  let going = true
  const waits = { longest: 0, looks: 0, stop }
  async function watch(): Promise<void> {
    while (going) {
      const { rows } = await client.query<{ ms: number | null }>(
        `select max(extract(epoch from clock_timestamp() - l.waitstart))::float8 * 1000 as ms
           from pg_locks l join pg_stat_activity a using (pid)
          where not l.granted and a.application_name = 'observatory:ingest' and a.datname = current_database()
            and l.locktype in ('relation', 'virtualxid')`,
      )
      waits.longest = Math.max(waits.longest, rows[0]?.ms ?? 0)
      waits.looks += 1
      await delay(20)
    }
  }
  const watching = watch()
  async function stop(): Promise<void> {
    if (!going) return
    going = false
    await watching
    await client.end()
  }
  ends.push(stop)
  return waits
}

const serviceCount = async (service: string) => {
  const { rows } = await pool.query<{ n: number }>(
    'select count(*)::int as n from log_records where service = $1',
    [service],
  )
  return rows[0]?.n ?? 0
}

async function removedRows(): Promise<{ removed: number; summed: number }> {
  const { rows } = await pool.query<{ removed: number; summed: number }>(
    `select (select coalesce(sum(rows), 0)::int from removals where table_name = 'log_records') as removed,
            (select coalesce(sum(rows), 0)::int from sums where table_name = 'log_records') as summed`,
  )
  return rows[0]!
}

const written = async (ingest: Ingest, more: number) => {
  const from = ingest.writer.stats().written
  await eventually(() => expect(ingest.writer.stats().written).toBeGreaterThan(from + more), {
    timeoutMs: 20_000,
  })
}

test('rows that are written at full speed to a partition that is being dropped are kept or counted, never refused', async () => {
  const ingest = startIngest()
  ingest.late = true
  const waits = await watchLocks()
  let drops = 0
  while (drops < 8) {
    await eventually(async () => expect(await serviceCount('late')).toBeGreaterThan(0), { timeoutMs: 20_000 })
    const { ends: outcomes } = await runOnce(pool, policy, {
      nowMs: Date.now(),
      hooks: SUMMING_HOOKS,
      finishWaitMs: 10_000,
    })
    drops += outcomes.filter((outcome) => /^removed public\.log_records/.test(outcome)).length
  }
  await ingest.stop()
  await waits.stop()
  const { sent, retries, writer } = ingest
  const { removed, summed } = await removedRows()
  expect(writer.stats()).toMatchObject({ written: sent.late + sent.fresh, deadLettered: 0, duplicates: 0 })
  expect(await serviceCount('fresh')).toBe(sent.fresh)
  expect((await serviceCount('late')) + removed).toBe(sent.late)
  expect(summed).toBe(removed)
  expect(removed).toBeGreaterThan(0)
  // It did come to that.
  expect(retries.map(({ failure }) => failure)).toContain('partition')
  expect(new Set(retries.map(({ failure }) => failure))).toEqual(new Set(['partition']))
  expect(waits.looks).toBeGreaterThan(20)
  expect(waits.longest).toBeLessThan(LONGEST_WAIT_MS)
})

const OLD_USE_MS = 100

test('beside a long reader it does nothing: ingest goes on, late rows and new partitions too', async () => {
  await makeDay(pool, old)
  await addLogs(pool, { time: old, rows: 10 })
  const ingest = startIngest()
  ingest.late = true
  await written(ingest, 1000)
  const reader = await openReader()
  const waits = await watchLocks()
  // A younger one is no long one: the detach is begun, and waits for it.
  await delay(OLD_USE_MS)
  const { outcome, ends: outcomes } = await runOnce(pool, policy, {
    nowMs: Date.now(),
    readersWaitMs: 1000,
    oldUseMs: OLD_USE_MS,
  })
  expect(outcome).toBe('incomplete')
  expect(outcomes).toEqual([`heldUp public.${dayOf('log_records', old)}`])
  await written(ingest, 1000)
  await waits.stop()
  expect(ingest.retries).toEqual([])
  expect(waits.longest).toBeLessThan(LONGEST_WAIT_MS)
  expect((await pool.query('select from pg_inherits where inhdetachpending')).rows).toEqual([])
  await reader.query('commit')
  // Whoever ingests uses the table, too, each time for a moment.
  const after = await runOnce(pool, policy, {
    nowMs: Date.now(),
    readersWaitMs: 10_000,
    oldUseMs: 1000,
    finishWaitMs: 10_000,
  })
  expect(after.outcome).toBe('finished')
})

test('a detach that waits for a reader holds up late rows alone, and they are written when it is over', async () => {
  await makeDay(pool, old)
  await addLogs(pool, { time: old, rows: 10 })
  const ingest = startIngest()
  await written(ingest, 1000)
  const reader = await openReader()
  const waits = await watchLocks()
  const running = runOnce(pool, policy, { nowMs: Date.now(), hooks: SUMMING_HOOKS, finishWaitMs: 20_000 })
  await eventually(async () =>
    expect((await pool.query('select from pg_inherits where inhdetachpending')).rows).toHaveLength(1),
  )
  await written(ingest, 5000)
  // New partitions are made meanwhile.
  const others = openPool('observatory:ingest')
  ends.push(() => others.end())
  await new Partitions({ pool: others, interval: 'day' }).ensureAhead(3)
  expect(ingest.retries).toEqual([])
  ingest.late = true
  await eventually(() => expect(ingest.retries.length).toBeGreaterThan(2))
  expect(new Set(ingest.retries.map(({ failure }) => failure))).toEqual(new Set(['partition']))
  await reader.query('commit')
  const { outcome } = await running
  expect(outcome).toBe('finished')
  await written(ingest, 1000)
  await ingest.stop()
  await waits.stop()
  expect(ingest.writer.stats()).toMatchObject({
    deadLettered: 0,
    written: ingest.sent.late + ingest.sent.fresh,
  })
  expect(await serviceCount('late')).toBe(ingest.sent.late)
  expect(await serviceCount('fresh')).toBe(ingest.sent.fresh)
  expect(await removedRows()).toEqual({ removed: 10, summed: 10 })
  expect(waits.longest).toBeLessThan(LONGEST_WAIT_MS)
})

test('rows that a rule lets go are deleted beside ingest into the same partition', async () => {
  await makeDay(pool, old)
  await addLogs(pool, { time: old, rows: 40_000, code: 5 })
  const ingest = startIngest()
  ingest.late = true
  await written(ingest, 1000)
  const waits = await watchLocks()
  const { outcome } = await runOnce(pool, retentionPolicy({}, 'logs level<=debug 7'), {
    nowMs: Date.now(),
    hooks: SUMMING_HOOKS,
  })
  expect(outcome).toBe('finished')
  await ingest.stop()
  await waits.stop()
  expect(ingest.retries).toEqual([])
  expect(waits.longest).toBeLessThan(LONGEST_WAIT_MS)
  expect(await removedRows()).toEqual({ removed: 40_000, summed: 40_000 })
  expect(await serviceCount('late')).toBe(ingest.sent.late)
})
