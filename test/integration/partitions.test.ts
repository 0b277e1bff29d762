import { once } from 'node:events'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Span } from '../../src/models/span.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { PARTITIONED_TABLES, Partitions } from '../../src/retention/partitions.ts'
import type { PartitionInterval } from '../../src/settings.ts'
import type { WriteRetry } from '../../src/writers/batch-writer.ts'
import { createSpanTable } from '../../src/writers/span-table.ts'
import {
  type BufferStats,
  TelemetryWriter,
  type TelemetryWriterOptions,
} from '../../src/writers/telemetry-writer.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { select } from '../helpers/stored.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Late in a day, for what is wrong about time zones and about the next day. */
const NOW = Date.UTC(2026, 10, 23, 21, 30)

let database: TestDatabase
let pool: pg.Pool

beforeEach(async () => {
  database = await createTestDatabase()
  pool = openPool()
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

describe('partitions are created', () => {
  test('ahead, of every table, for now and the intervals after it', async () => {
    await partitionsBy('day').ensureAhead(2, NOW)
    for (const table of PARTITIONED_TABLES) {
      expect(await ranges(table)).toEqual([
        '2026-11-23T00 to 2026-11-24T00',
        '2026-11-24T00 to 2026-11-25T00',
        '2026-11-25T00 to 2026-11-26T00',
      ])
    }
  })

  test('by the hour when that is the interval', async () => {
    await partitionsBy('hour').ensureAhead(3, NOW)
    expect(await ranges('spans')).toEqual([
      '2026-11-23T21 to 2026-11-23T22',
      '2026-11-23T22 to 2026-11-23T23',
      '2026-11-23T23 to 2026-11-24T00',
      '2026-11-24T00 to 2026-11-24T01',
    ])
  })

  test('once, however often they are asked for and by whom', async () => {
    const partitions = partitionsBy('day')
    await partitions.ensureAhead(3, NOW)
    await partitions.ensureAhead(3, NOW)
    partitions.forget()
    await partitions.ensureAhead(3, NOW + DAY)
    await partitionsBy('day').ensureAhead(3, NOW)
    expect(await ranges('spans')).toHaveLength(5)
  })

  test('with the indexes and constraints of the table', async () => {
    await run('alter table spans add constraint named check (length(name) > 0)')
    await partitionsBy('day').ensureAhead(0, NOW)
    const likeTheTable = await select(
      database.databaseUrl,
      `select relname as name,
              (select count(*)::int from pg_index where indrelid = c.oid) as indexes,
              (select array_agg(conname order by conname)::text from pg_constraint
                where conrelid = c.oid and contype = 'c') as checks
         from pg_class c where relname in ('spans', 'spans_p20261123') order by relname`,
    )
    const [table, partition] = likeTheTable
    expect(table).toMatchObject({ checks: '{named}' })
    expect(table?.indexes).toBeGreaterThan(2)
    expect(partition).toEqual({ ...table, name: 'spans_p20261123' })
  })

  test('by several processes at once, each once', async () => {
    const pools = Array.from({ length: 4 }, () => openPool())
    const processes = pools.map((each) => new Partitions({ pool: each, interval: 'day' }))
    await Promise.all(processes.map((partitions) => partitions.ensureAhead(10, NOW)))
    await Promise.all(pools.map((each) => each.end()))
    for (const table of PARTITIONED_TABLES) expect(await ranges(table)).toHaveLength(11)
  })

  test('by processes of different intervals at once, without gap or overlap', async () => {
    const intervals = ['day', 'hour', 'day', 'hour'] as const
    await Promise.all(
      intervals.map((interval) => partitionsBy(interval).ensureAhead(interval === 'day' ? 1 : 4, NOW)),
    )
    await expectCovered('spans', Date.UTC(2026, 10, 23, 21), Date.UTC(2026, 10, 25))
  })

  test('whatever the time zone and date style of the session', async () => {
    await partitionsBy('day').ensureAhead(1, NOW)
    const foreign = new pg.Pool({
      connectionString: database.databaseUrl,
      options: '-c TimeZone=Asia/Kolkata -c DateStyle=German',
    })
    await new Partitions({ pool: foreign, interval: 'day' }).ensureAhead(2, NOW)
    await foreign.end()
    expect(await ranges('spans')).toEqual([
      '2026-11-23T00 to 2026-11-24T00',
      '2026-11-24T00 to 2026-11-25T00',
      '2026-11-25T00 to 2026-11-26T00',
    ])
  })
})

describe('when the interval is changed', () => {
  test('from day to hour, the days there are stay and hours follow them', async () => {
    await partitionsBy('day').ensureAhead(1, NOW)
    await partitionsBy('hour').ensureAhead(28, NOW)
    const found = await ranges('spans')
    expect(found.slice(0, 3)).toEqual([
      '2026-11-23T00 to 2026-11-24T00',
      '2026-11-24T00 to 2026-11-25T00',
      '2026-11-25T00 to 2026-11-25T01',
    ])
    await expectCovered('spans', Date.UTC(2026, 10, 23), Date.UTC(2026, 10, 25, 2))
  })

  test('from hour to day, the rest of the day is made of hours', async () => {
    await partitionsBy('hour').ensureAhead(3, NOW)
    await partitionsBy('day').ensureAhead(2, NOW)
    await expectCovered('spans', Date.UTC(2026, 10, 23), Date.UTC(2026, 10, 26))
    const lengths = (await bounds('spans')).map(({ from, to }) => (to - from) / HOUR)
    expect(lengths.filter((hours) => hours === 24)).toHaveLength(1)
    expect(lengths.filter((hours) => hours === 1)).toHaveLength(48)
  })

  test('rows of before and after are both there', async () => {
    const now = Date.now()
    for (const interval of ['day', 'hour', 'day'] as const) {
      const at = (hoursAgo: number) =>
        looseSpan(`${interval} ${hoursAgo}`, { startTime: now - hoursAgo * HOUR })
      await write([at(0), at(5), at(30), at(60), at(400)], { partitions: partitionsBy(interval) })
    }
    expect(await spanCount()).toBe(15)
  })
})

describe('a batch gets the partitions it needs', () => {
  test('for late records anywhere in the accepted window', async () => {
    const days = [29.9, 17, 3, 0, -0.9]
    const spans = days.map((ago) => looseSpan(`${ago}`, { startTime: Math.floor(Date.now() - ago * DAY) }))
    expect(await write(spans)).toMatchObject({ written: 5, deadLettered: 0 })
    expect(await write([looseSpan('too late', { startTime: Date.now() - 31 * DAY })])).toMatchObject({
      written: 0,
      deadLettered: 1,
    })
  })

  test('in the table of bodies too', async () => {
    const startTime = Date.now() - 9 * DAY
    await write([looseSpan('chat', { startTime, attributes: { 'gen_ai.prompt': 'hi' } })])
    expect(await select(database.databaseUrl, 'select count(*)::int as n from span_contents')).toEqual([
      { n: 1 },
    ])
  })

  test('for the first and the last nanosecond of a day', async () => {
    const midnight = BigInt(Math.floor(Date.now() / DAY) * DAY) * 1_000_000n
    const at = (nanos: bigint) =>
      looseSpan('edge', { startTime: undefined, durationMs: undefined, startTimeUnixNano: String(nanos) })
    expect(await write([at(midnight - 1n), at(midnight), at(midnight + 1n)])).toMatchObject({ written: 3 })
    const rows = await select(
      database.databaseUrl,
      'select start_time_unix_nano::text as nanos, tableoid::regclass::text as partition from spans order by 1',
    )
    expect(rows.map(({ nanos }) => BigInt(nanos))).toEqual([midnight - 1n, midnight, midnight + 1n])
    expect(new Set(rows.map(({ partition }) => partition)).size).toBe(2)
  })

  test('again after somebody dropped one that it knew', async () => {
    const partitions = partitionsBy('day')
    // The one connection that fails is closed; what the others are believed to know must be forgotten, too.
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
    for (const client of clients) await partitions.ensure(client, [], [])
    for (const client of clients) client.release()
    await write([looseSpan('before')], { partitions })
    await run(`drop table ${await partitionOfToday()}`)
    const retries: WriteRetry[] = []
    const stats = await write([looseSpan('after')], { partitions, onRetry: (retry) => retries.push(retry) })
    expect(stats).toMatchObject({ written: 1, deadLettered: 0 })
    expect(retries.map(({ failure, sqlState }) => [failure, sqlState])).toEqual([['partition', '23514']])
    expect(await spanCount()).toBe(1)
  })

  test('beside rows that PostgreSQL refuses', async () => {
    await run("alter table spans add constraint no_bad_names check (name <> 'bad')")
    const partitions = partitionsBy('day')
    await write([looseSpan('before')], { partitions })
    await run(`drop table ${await partitionOfToday()}`)
    const spans = [looseSpan('bad', { startTime: Date.now() - DAY }), looseSpan('good'), looseSpan('bad')]
    expect(await write(spans, { partitions })).toMatchObject({ written: 1, deadLettered: 2 })
  })

  test('although one that was detached still has the name', async () => {
    const partitions = partitionsBy('day')
    await write([looseSpan('kept aside')], { partitions })
    await run(`alter table spans detach partition ${await partitionOfToday()}`)
    expect(await write([looseSpan('late')], { partitions })).toMatchObject({ written: 1 })
    expect(await spanCount()).toBe(1)
  })

  test('while a table of the same name lies elsewhere in the search path', async () => {
    await run(`create schema other; create table other.${todaysName()} (n int)`)
    await run(`alter database ${database.name} set search_path = other, public`)
    expect(await write([looseSpan('a')])).toMatchObject({ written: 1 })
  })
})

test('a time before 1970 belongs to the partition of its own day', () => {
  const partitions = partitionsBy('day')
  expect(partitions.startOf(-1)).toBe(-DAY)
  expect(partitions.startOf(0)).toBe(0)
  expect(partitions.startOf(-DAY)).toBe(-DAY)
  expect(partitions.startOf(-DAY - 1)).toBe(-2 * DAY)
})

describe('nobody waits for a new partition', () => {
  let reader: pg.Client
  beforeEach(async () => {
    await write([looseSpan('first')])
    reader = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'long read' })
    await reader.query('begin')
  })
  afterEach(() => reader.end())

  test('nor it for a long read of the table: COPY goes on meanwhile', async () => {
    await reader.query('select count(*) from spans')
    await partitionsBy('day').ensureAhead(20)
    expect(
      await write([looseSpan('late', { startTime: Date.now() - 12 * DAY }), looseSpan('now')]),
    ).toMatchObject({
      written: 2,
      retries: 0,
    })
    await reader.query('commit')
  })

  test('nor it for a COPY that is not committed yet', async () => {
    await reader.query(`insert into spans select * from spans`)
    await partitionsBy('day').ensureAhead(20)
    expect(await write([looseSpan('now')])).toMatchObject({ written: 1, retries: 0 })
    await reader.query('rollback')
  })

  test('and reads and writes of the others do not wait for one whose creation is not committed yet', async () => {
    const partitions = partitionsBy('day')
    await partitions.ensure(reader, ['spans'], [Math.floor(Date.now() / DAY) * DAY + 9 * DAY])
    // Committed by itself; what is left open is one that stands in the middle of it.
    await reader.query('begin')
    await reader.query('create table spans_open (like spans including all)')
    const day = (ahead: number) => new Date(Math.floor(Date.now() / DAY) * DAY + ahead * DAY).toISOString()
    await reader.query(
      `alter table spans attach partition spans_open for values from ('${day(10)}') to ('${day(11)}')`,
    )
    expect(await spanCount()).toBe(1)
    expect(await write([looseSpan('now')], { partitions })).toMatchObject({ written: 1, retries: 0 })
    await reader.query('rollback')
  })
})

function openPool(): pg.Pool {
  return createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'partitions test',
    max: 4,
    lockTimeoutMs: 1000,
    onError: () => undefined,
  })
}

function partitionsBy(interval: PartitionInterval): Partitions {
  return new Partitions({ pool, interval })
}

const run = (text: string) => withPostgres(database.databaseUrl, (client) => client.query(text))

/** Writes the spans as one batch. */
async function write(
  spans: readonly object[],
  options: Partial<TelemetryWriterOptions<Span>> = {},
): Promise<BufferStats> {
  const writer = new TelemetryWriter<Span>(createSpanTable(), { pool, ...options })
  writer.end(spans)
  await once(writer, 'finish')
  return writer.stats()
}

async function spanCount(): Promise<number> {
  const [row] = await select<{ n: number }>(database.databaseUrl, 'select count(*)::int as n from spans')
  return row!.n
}

async function partitionOfToday(): Promise<string> {
  const [row] = await select<{ name: string }>(
    database.databaseUrl,
    'select distinct tableoid::regclass::text as name from spans',
  )
  return row!.name
}

function todaysName(): string {
  return `spans_p${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`
}

/** Bounds of the partitions of a table, in unix milliseconds, in order. */
async function bounds(table: string): Promise<{ from: number; to: number }[]> {
  const rows = await select<{ from: string; to: string }>(
    database.databaseUrl,
    `select (extract(epoch from m[1]::timestamptz) * 1000)::bigint::text as from,
            (extract(epoch from m[2]::timestamptz) * 1000)::bigint::text as to
       from pg_inherits i join pg_class c on c.oid = i.inhrelid,
            regexp_match(pg_get_expr(c.relpartbound, c.oid), '\\(''(.*)''\\) TO \\(''(.*)''\\)') as m
      where i.inhparent = '${table}'::regclass order by m[1]::timestamptz`,
  )
  return rows.map(({ from, to }) => ({ from: Number(from), to: Number(to) }))
}

async function ranges(table: string): Promise<string[]> {
  const hour = (ms: number) => new Date(ms).toISOString().slice(0, 13)
  return (await bounds(table)).map(({ from, to }) => `${hour(from)} to ${hour(to)}`)
}

/** Fails unless the partitions cover the time from one to the other without a gap. */
async function expectCovered(table: string, fromMs: number, toMs: number): Promise<void> {
  const found = await bounds(table)
  expect(found.at(0)?.from).toBeLessThanOrEqual(fromMs)
  expect(found.at(-1)?.to).toBeGreaterThanOrEqual(toMs)
  found.slice(1).forEach(({ from }, index) => {
    expect(from).toBe(found[index]?.to)
  })
}
