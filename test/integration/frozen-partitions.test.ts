import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { INDEX_BUILD_LOCK } from '../../src/retention/build-session.ts'
import { FreezeKeeper, type FreezeKeeperOptions } from '../../src/retention/freeze-keeper.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, addPoints, addSpans, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** A day that has been over for more than an hour and for less than a day. */
const NOW = Date.UTC(2026, 10, 24, 9)
const TIME = NOW - DAY
const LOGS = dayOf('log_records', TIME)

let database: TestDatabase
let pool: pg.Pool
/** What has to end after a test however it ended, the last opened first. */
let ends: (() => Promise<unknown>)[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'frozen partitions test',
    max: 4,
    onError: () => undefined,
  })
  ends = [() => pool.end()]
  await pool.query('create extension pg_visibility')
  await makeDay(pool, TIME)
})
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  await database.drop()
})

interface Keeper {
  readonly keeper: FreezeKeeper
  readonly log: Record<string, unknown>[]
  /** Partitions that were vacuumed, in order. */
  vacuumed(): string[]
  unfrozen(): Promise<Record<string, number>>
}

/** Looks every 20 ms. */
function startKeeper(options: Partial<FreezeKeeperOptions> = {}): Keeper {
  const metrics = createMetrics()
  const log: Record<string, unknown>[] = []
  const own = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'observatory:maintenance',
    max: 1,
    onError: ({ message }) => log.push({ msg: `a connection was lost: ${message}` }),
  })
  const keeper = new FreezeKeeper({
    pool: own,
    isIndexed: false,
    metrics,
    logger: createLogger({ level: 'debug', pretty: false, write: (line) => log.push(JSON.parse(line)) }),
    intervalMs: 20,
    pauseMs: 0,
    repeatAfterMs: 0,
    now: () => NOW,
    ...options,
  })
  ends.push(async () => {
    await keeper.stop()
    await own.end()
  })
  return {
    keeper,
    log,
    vacuumed: () =>
      log
        .filter(({ msg }) => msg === 'vacuumed a closed partition')
        .map(({ partition }) => String(partition)),
    async unfrozen() {
      const { values } = await metrics.partitionsUnfrozen.get()
      return Object.fromEntries(values.map(({ labels, value }) => [labels.table, value]))
    },
  }
}

/** On a connection of its own, which tells the statistics when it ends: one that idles does so ten seconds later. */
const addLate = (rows: number, code: number) =>
  withPostgres(database.databaseUrl, (client) => addLogs(client, { time: TIME, rows, code }))

const untilAllFrozen = (keeper: Keeper) =>
  eventually(async () => expect(new Set(Object.values(await keeper.unfrozen()))).toEqual(new Set([0])))

/** Pages of a partition, and of them those that are not frozen. */
async function pagesOf(partition: string): Promise<{ pages: number; unfrozen: number; analyzed: boolean }> {
  const [row] = await select<{ pages: number; unfrozen: number; analyzed: boolean }>(
    database.databaseUrl,
    `select count(*)::int as pages, count(*) filter (where not all_frozen)::int as unfrozen,
            (select last_analyze is not null from pg_stat_all_tables where relid = $1::regclass) as analyzed
       from pg_visibility_map($1::regclass)`,
    [partition],
  )
  return row!
}

test('a closed partition is frozen, vacuumed and analyzed once, those of all tables, an hour after its end', async () => {
  await addLogs(pool, { time: TIME, rows: 1000, hasContent: true })
  await addSpans(pool, { time: TIME, rows: 10, hasContent: true })
  await addPoints(pool, { time: TIME, rows: 10 })
  await makeDay(pool, NOW)
  await addPoints(pool, { time: NOW, rows: 10 })
  let now = Date.UTC(2026, 10, 24, 0, 59, 59)
  const keeper = startKeeper({ now: () => now })
  await untilAllFrozen(keeper)
  await delay(100)
  expect(keeper.vacuumed()).toEqual([])
  expect((await pagesOf(LOGS)).unfrozen).toBeGreaterThan(10)
  now += 1000
  await eventually(() => expect(keeper.vacuumed()).toHaveLength(6))
  expect(await pagesOf(LOGS)).toEqual({ pages: expect.any(Number), unfrozen: 0, analyzed: true })
  await untilAllFrozen(keeper)
  await delay(200)
  // Another process knows it from the catalogue.
  const other = startKeeper({ now: () => now })
  await delay(200)
  expect([...keeper.vacuumed(), ...other.vacuumed()].sort()).toEqual(
    ['evaluations', 'log_contents', 'log_records', 'metric_points', 'span_contents', 'spans'].map((table) =>
      dayOf(table, TIME),
    ),
  )
  expect(keeper.log.filter(({ level }) => level !== 'debug')).toEqual([])
})

test('late rows are read at once, and vacuumed only when they are a tenth of the partition', async () => {
  await addLogs(pool, { time: TIME, rows: 20_000 })
  const keeper = startKeeper()
  await eventually(() => expect(keeper.vacuumed()).toEqual([LOGS]))
  await addLate(1500, 10)
  const counted = await select<{ n: number }>(
    database.databaseUrl,
    'select count(*)::int as n from log_records',
  )
  expect(counted).toEqual([{ n: 21_500 }])
  await delay(1500)
  expect(keeper.vacuumed()).toEqual([LOGS])
  expect((await pagesOf(LOGS)).unfrozen).toBeGreaterThan(0)
  await addLate(700, 11)
  await eventually(() => expect(keeper.vacuumed()).toEqual([LOGS, LOGS]))
  expect((await pagesOf(LOGS)).unfrozen).toBe(0)
})

test('rows that were deleted count, too', async () => {
  await addLogs(pool, { time: TIME, rows: 5000 })
  const keeper = startKeeper()
  await eventually(() => expect(keeper.vacuumed()).toEqual([LOGS]))
  await select(database.databaseUrl, 'delete from log_records where entry_seq % 2 = 0')
  await eventually(() => expect(keeper.vacuumed()).toEqual([LOGS, LOGS]))
})

test('a partition that an old transaction kept from being frozen is tried again', async () => {
  const old = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'old transaction' })
  ends.push(() => old.end())
  await old.query('begin isolation level repeatable read; select from scopes')
  await addLogs(pool, { time: TIME, rows: 1000 })
  const keeper = startKeeper({ repeatAfterMs: 300 })
  await eventually(() => expect(keeper.vacuumed().length).toBeGreaterThan(0))
  expect((await pagesOf(LOGS)).unfrozen).toBeGreaterThan(0)
  await old.query('commit')
  await eventually(async () => expect((await pagesOf(LOGS)).unfrozen).toBe(0))
})

test('its indexes are built first, for a day', async () => {
  await addLogs(pool, { time: TIME, rows: 10 })
  await addPoints(pool, { time: TIME, rows: 10 })
  let now = NOW
  const keeper = startKeeper({ isIndexed: true, now: () => now })
  await eventually(() => expect(keeper.vacuumed()).toEqual([dayOf('metric_points', TIME)]))
  await delay(100)
  expect(keeper.vacuumed()).toHaveLength(1)
  await pool.query(`create index ${LOGS}_attributes_gin on ${LOGS} using gin (attributes jsonb_path_ops);
    create index ${LOGS}_body_gin on ${LOGS} using gin (to_tsvector('simple', left(body, 100000)))`)
  await eventually(() => expect(keeper.vacuumed()).toContain(LOGS))
  await addSpans(pool, { time: TIME, rows: 10 })
  await delay(100)
  expect(keeper.vacuumed()).toHaveLength(2)
  now += DAY
  await eventually(() => expect(keeper.vacuumed()).toContain(dayOf('spans', TIME)))
})

test('who builds an index or removes is waited for, and who vacuums let do it', async () => {
  await addLogs(pool, { time: TIME, rows: 10 })
  await addPoints(pool, { time: TIME, rows: 10 })
  const builder = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'builder' })
  ends.push(() => builder.end())
  await builder.query(`select pg_advisory_lock(${INDEX_BUILD_LOCK})`)
  await builder.query(`begin; lock table ${LOGS} in share update exclusive mode`)
  const keeper = startKeeper()
  await delay(200)
  expect(keeper.vacuumed()).toEqual([])
  await builder.query(`select pg_advisory_unlock(${INDEX_BUILD_LOCK})`)
  await eventually(() => expect(keeper.vacuumed()).toEqual([dayOf('metric_points', TIME)]))
  await builder.query('rollback')
  await eventually(() => expect(keeper.vacuumed()).toContain(LOGS))
  expect(keeper.log.filter(({ level }) => level !== 'debug')).toEqual([])
})

test('readers and COPY of the partition do not wait for it, and a stop ends it within a second', async () => {
  await addLogs(pool, { time: TIME, rows: 30_000 })
  // It pauses after each page, and so takes many seconds.
  await pool.query(`alter database ${database.name} set vacuum_cost_limit = 1`)
  const keeper = startKeeper()
  const vacuums = () =>
    select(
      database.databaseUrl,
      `select 1 from pg_stat_activity where datname = current_database() and query like 'vacuum (freeze%' and state = 'active'`,
    )
  await eventually(async () => expect(await vacuums()).toHaveLength(1))
  const startedAt = performance.now()
  await addLogs(pool, { time: TIME, rows: 10, code: 17 })
  await pool.query('select count(*) from log_records')
  expect(await vacuums(), 'it was over before').toHaveLength(1)
  expect(performance.now() - startedAt).toBeLessThan(1000)
  const stoppedAt = performance.now()
  await keeper.keeper.stop()
  expect(performance.now() - stoppedAt).toBeLessThan(1000)
  await delay(20)
  expect(keeper.log.map(({ msg }) => msg)).not.toContainEqual(expect.stringContaining('connection was lost'))
  expect(await vacuums()).toEqual([])
  expect(keeper.vacuumed()).toEqual([])
})
