import { once } from 'node:events'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ObservatoryError } from '../../src/errors.ts'
import type { Span } from '../../src/models/span.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { Partitions } from '../../src/retention/partitions.ts'
import type { WriteRetry } from '../../src/writers/batch-writer.ts'
import { Interner } from '../../src/writers/interner.ts'
import { createSpanTable } from '../../src/writers/span-table.ts'
import {
  type BufferStats,
  TelemetryWriter,
  type TelemetryWriterOptions,
} from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { expectLedgerCounts, listedEntries, select } from '../helpers/stored.ts'
import { decodedChunk, looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const STREAM = 'telemetry:traces'
let database: TestDatabase
let pool: pg.Pool
/** Shared by the writers of a test, so that all but the first find everything known and begin with the ledger. */
let shared: Pick<TelemetryWriterOptions<Span>, 'partitions' | 'interner'>
let retries: WriteRetry[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'refused rows test',
    max: 6,
    lockTimeoutMs: 2000,
    onError: () => undefined,
  })
  const limits = { maxPerMetric: 1000, maxPerService: 1000 }
  shared = { partitions: new Partitions({ pool, interval: 'day' }), interner: new Interner(limits) }
  retries = []
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

const run = (text: string) => withPostgres(database.databaseUrl, (client) => client.query(text))

/** Names are refused by a constraint when they begin with "bad". */
const REFUSE_BAD = "alter table spans add constraint no_bad_names check (name not like 'bad%')"

/** As for a role without the right to temporary tables. */
const FORBID_TEMPORARY = `
  create function forbid() returns event_trigger language plpgsql as
    $$ begin raise exception 'permission denied to create temporary tables' using errcode = '42501'; end $$;
  create event trigger forbid on ddl_command_start when tag in ('CREATE TABLE AS') execute function forbid()`

describe.each([
  { way: 'one by one in the server', prepare: undefined, copiesMax: 2 },
  // The first, the last, and for each of six pieces: itself, the rows before, the row, the rows after.
  { way: 'by pieces', prepare: FORBID_TEMPORARY, copiesMax: 2 + 6 * 4 },
])(
  'a row that PostgreSQL refuses is found $way, dead-lettered, and the others are written',
  ({ prepare, copiesMax }) => {
    beforeEach(async () => {
      if (prepare !== undefined) await run(prepare)
    })

    test.each<[string, number, readonly number[]]>([
      ['at the first position', 1500, [0]],
      ['in the middle', 1500, [750]],
      ['at the last position', 1500, [1499]],
      ['at both sides of the pieces that are tried', 1500, [499, 500, 999, 1000]],
      ['one beside the other', 1500, [10, 11, 12, 13]],
      ['as one of a single row', 1, [0]],
      ['as all of them', 40, Array.from({ length: 40 }, (_, index) => index)],
      ['as all but one', 40, Array.from({ length: 39 }, (_, index) => index)],
    ])('%s', async (_, length, bad) => {
      await run(REFUSE_BAD)
      const names = Array.from({ length }, (_, index) =>
        bad.includes(index) ? `bad ${index}` : `good ${index}`,
      )
      const stats = await write(names.map((name) => looseSpan(name)))
      expect(stats).toMatchObject({ written: length - bad.length, deadLettered: bad.length, duplicates: 0 })
      expect(await spanNames()).toEqual(names.filter((name) => name.startsWith('good')).sort())
      const letters = await deadLetters()
      expect(letters.map(({ entry }) => entry)).toEqual(bad)
      expect(new Set(letters.map(({ sqlstate }) => sqlstate))).toEqual(new Set(['23514']))
      expect(letters[0]).toMatchObject({
        reason: 'refused_by_database',
        detail: expect.stringContaining('no_bad_names'),
      })
      expect(letters.map(({ payload }) => JSON.parse(payload).name)).toEqual(
        names.filter((name) => name.startsWith('bad')),
      )
      await expectWhole(length)
    })

    test('by an expression of an index, found by the row that the error names', async () => {
      await run('create index on spans ((1 / (length(name) - 3)))')
      await write(['four', 'abc', 'fives', 'xyz', 'sixsix'].map((name) => looseSpan(name)))
      expect(await spanNames()).toEqual(['fives', 'four', 'sixsix'])
      expect(await deadLetters()).toMatchObject([
        { entry: 1, sqlstate: '22012' },
        { entry: 3, sqlstate: '22012' },
      ])
      await expectWhole(5)
    })

    test('by a limit of PostgreSQL: an index entry that is too large', async () => {
      await run("create index on spans ((attributes ->> 'key'))")
      const random = Array.from({ length: 2000 }, () => Math.random().toString(36).slice(2)).join('')
      await write([looseSpan('fits'), looseSpan('large', { attributes: { key: random } })])
      expect(await spanNames()).toEqual(['fits'])
      expect(await deadLetters()).toMatchObject([{ entry: 1, sqlstate: '54000' }])
      await expectWhole(2)
    })

    test('by a foreign key, whose error names no row: the batch is halved until it is found', async () => {
      await run(
        "create table known_services (name text primary key); insert into known_services values ('api')",
      )
      await run('alter table spans add constraint known foreign key (service) references known_services')
      const spans = Array.from({ length: 100 }, (_, index) =>
        looseSpan(`span ${index}`, { service: index === 37 || index === 99 ? 'unheard-of' : 'api' }),
      )
      expect(await write(spans)).toMatchObject({ written: 98, deadLettered: 2 })
      expect(await deadLetters()).toMatchObject([
        { entry: 37, sqlstate: '23503' },
        { entry: 99, sqlstate: '23503' },
      ])
      await expectWhole(100)
    })

    test('in the table of bodies only: its span is refused with it, and no body is left without a span', async () => {
      await run(
        'alter table span_contents add constraint short_bodies check (length(attributes::text) < 100)',
      )
      const prompt = (text: string) => ({ attributes: { 'gen_ai.prompt': text, color: 'red' } })
      await write([
        looseSpan('short', prompt('hi')),
        looseSpan('long', prompt('x'.repeat(200))),
        looseSpan('none'),
        looseSpan('long too', prompt('y'.repeat(200))),
      ])
      expect(await spanNames()).toEqual(['none', 'short'])
      const letters = await deadLetters()
      expect(letters).toMatchObject([
        { entry: 1, sqlstate: '23514' },
        { entry: 3, sqlstate: '23514' },
      ])
      expect(JSON.parse(letters[0]!.payload).attributes).toEqual({
        color: 'red',
        'gen_ai.prompt': 'x'.repeat(200),
      })
      await expectWhole(4)
    })

    test('in either table, each of one record counted once', async () => {
      await run(REFUSE_BAD)
      await run(
        'alter table span_contents add constraint short_bodies check (length(attributes::text) < 100)',
      )
      const long = { attributes: { 'gen_ai.prompt': 'x'.repeat(200) } }
      await write([
        looseSpan('bad and long', long),
        looseSpan('good but long', long),
        looseSpan('bad'),
        looseSpan('good'),
      ])
      expect(await spanNames()).toEqual(['good'])
      expect((await deadLetters()).map(({ entry }) => entry)).toEqual([0, 1, 2])
      await expectWhole(4)
    })

    test('in one partition of several', async () => {
      await run(REFUSE_BAD)
      const day = (ago: number) => ({ startTime: Date.now() - ago * 86_400_000 })
      await write([
        looseSpan('today', day(0)),
        looseSpan('bad yesterday', day(1)),
        looseSpan('yesterday', day(1)),
        looseSpan('bad today', day(0)),
        looseSpan('last week', day(7)),
      ])
      expect(await spanNames()).toEqual(['last week', 'today', 'yesterday'])
      expect((await deadLetters()).map(({ entry }) => entry)).toEqual([1, 3])
      await expectWhole(5)
    })

    test('with megabytes behind it in the same COPY', async () => {
      await run(REFUSE_BAD)
      const filler = { attributes: { filler: 'é'.repeat(5000) } }
      const spans = Array.from({ length: 800 }, (_, index) =>
        looseSpan(index === 0 ? 'bad' : `good ${index}`, filler),
      )
      expect(await write(spans)).toMatchObject({ written: 799, deadLettered: 1 })
      await expectWhole(800)
    })

    test('beside records that were refused before, and entries that were ingested before', async () => {
      await run(REFUSE_BAD)
      await write([looseSpan('zero'), looseSpan('one')])
      const stats = await write([
        looseSpan('zero'),
        looseSpan('one'),
        looseSpan('bad two'),
        looseSpan('no ids', { traceId: 'x' }),
        looseSpan('four'),
      ])
      expect(stats).toMatchObject({ written: 1, deadLettered: 2, duplicates: 2 })
      expect(await spanNames()).toEqual(['four', 'one', 'zero'])
      expect(await deadLetters()).toMatchObject([
        { entry: 2, reason: 'refused_by_database', sqlstate: '23514' },
        { entry: 3, reason: 'bad_id', sqlstate: null },
      ])
      await expectWhole(5)
    })

    test('in few attempts: one that fails, one that finds all of them by few COPYs', async () => {
      await run(REFUSE_BAD)
      const query = vi.spyOn(pg.Client.prototype, 'query')
      await write(Array.from({ length: 3000 }, (_, index) => looseSpan(index % 500 === 250 ? 'bad' : 'good')))
      const copies = query.mock.calls.filter(([sent]) =>
        (sent as { text?: string }).text?.startsWith('copy spans '),
      )
      query.mockRestore()
      expect(retries.map(({ failure, delayMs }) => ({ failure, delayMs }))).toEqual([
        { failure: 'data', delayMs: 0 },
      ])
      expect(copies.length).toBeGreaterThanOrEqual(2)
      expect(copies.length).toBeLessThanOrEqual(copiesMax)
    })

    test('and with the payloads dropped the letter still tells which record it was', async () => {
      await run(REFUSE_BAD)
      await write([looseSpan('good'), looseSpan('bad')], { deadLetterPayload: 'drop' })
      const [letter] = await select(
        database.databaseUrl,
        'select payload, payload_bytes::int, entry_ms::int from dead_letters',
      )
      expect(letter).toMatchObject({ payload: null, entry_ms: 1 })
      expect(letter?.payload_bytes).toBeGreaterThan(100)
    })
  },
)

describe('ingest stops', () => {
  const batchOf = (bad: number) =>
    Array.from({ length: 100 }, (_, index) => looseSpan(index < bad ? 'bad' : 'good'))

  test('when ten batches in a row have more than 1 % of their rows refused: that is no bad data', async () => {
    await run(REFUSE_BAD)
    const { error, committed } = await writeBatches(Array.from({ length: 12 }, () => batchOf(2)))
    expect(error).toMatchObject({ code: 'ERR_INGEST_STOPPED' })
    expect(error?.message).toContain('no_bad_names')
    expect(committed).toBe(10)
    expect(await select(database.databaseUrl, 'select count(*)::int as n from spans')).toEqual([{ n: 980 }])
    await expectLedgerCounts(database.databaseUrl, STREAM, 'spans')
  })

  test('not when 1 % is refused, however often', async () => {
    await run(REFUSE_BAD)
    const { error, committed } = await writeBatches(Array.from({ length: 12 }, () => batchOf(1)))
    expect(error).toBeUndefined()
    expect(committed).toBe(12)
  })

  test('not when a good batch comes between', async () => {
    await run(REFUSE_BAD)
    const batches = Array.from({ length: 19 }, (_, index) => batchOf(index === 9 ? 0 : 5))
    const { error, committed } = await writeBatches(batches)
    expect(error).toBeUndefined()
    expect(committed).toBe(19)
  })

  test.each([
    ['a column was dropped', 'alter table spans drop column cost cascade', '42703'],
    ['a table is gone', 'drop table span_contents cascade', '42P01'],
    ['the dead letters are gone', 'drop table dead_letters', '42P01'],
    ['a column has a narrower type', 'alter table spans alter column flags type integer', '22P03'],
    ['a column has a wider type', 'alter table spans alter column kind type integer', '08P01'],
  ])('at once when %s, and nothing is written', async (_, ddl, sqlState) => {
    await run('drop view if exists span_view, traces, llm_calls')
    await run('drop function if exists span_rows, trace_summaries cascade')
    await run(ddl)
    const spans = [
      looseSpan('a', { flags: 1, attributes: { 'gen_ai.prompt': 'hi' } }),
      looseSpan('b', { traceId: 'x' }),
    ]
    const { error, committed } = await writeBatches([spans])
    expect(error).toMatchObject({ code: 'ERR_INGEST_STOPPED', cause: { code: sqlState } })
    expect(committed).toBe(0)
    expect(await spanNames()).toEqual([])
    expect(await listedEntries(database.databaseUrl, STREAM)).toEqual([])
  })
})

describe('an error that passes is tried again, and nothing is doubled or dead-lettered', () => {
  let blocker: pg.Client

  beforeEach(async () => {
    await write([looseSpan('first')], { firstId: 1000 })
    blocker = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'blocker' })
    await blocker.query('begin')
  })
  afterEach(() => blocker.end())

  /** Resolves with the pid of the writer's session as soon as it waits for a lock with this statement. */
  const waitingSession = (statement: RegExp) =>
    eventually(async () => {
      const [session] = await select<{ pid: number; query: string }>(
        database.databaseUrl,
        `select pid, query from pg_stat_activity
          where datname = current_database() and application_name = 'refused rows test' and wait_event_type = 'Lock'`,
      )
      expect(session?.query).toMatch(statement)
      return session!.pid
    })

  const terminate = (pid: number) => run(`select pg_terminate_backend(${pid})`)

  test('when its backend is terminated during the COPY', async () => {
    await blocker.query('lock table spans in access exclusive mode')
    const written = write([looseSpan('a'), looseSpan('b')])
    await terminate(await waitingSession(/^copy spans /))
    await blocker.query('rollback')
    expect(await written).toMatchObject({ written: 2, deadLettered: 0, duplicates: 0 })
    expect(retries.map(({ failure }) => failure)).toContain('transient')
    expect(await spanNames()).toEqual(['a', 'b', 'first'])
    await expectWhole(3)
  })

  test('when its backend is terminated after the COPY, before COMMIT', async () => {
    await blocker.query('lock table dead_letters in access exclusive mode')
    const written = write([looseSpan('a'), looseSpan('b', { traceId: 'x' })])
    await terminate(await waitingSession(/^insert into dead_letters/))
    await blocker.query('rollback')
    expect(await written).toMatchObject({ written: 1, deadLettered: 1, duplicates: 0 })
    expect(await spanNames()).toEqual(['a', 'first'])
    expect(await deadLetters()).toHaveLength(1)
    await expectWhole(3)
  })

  test('when its backend is terminated while it looks for a refused row', async () => {
    await run(REFUSE_BAD)
    await blocker.query('lock table dead_letters in access exclusive mode')
    const written = write([looseSpan('a'), looseSpan('bad'), looseSpan('c')])
    await terminate(await waitingSession(/^insert into dead_letters/))
    await blocker.query('rollback')
    expect(await written).toMatchObject({ written: 2, deadLettered: 1, duplicates: 0 })
    expect(await spanNames()).toEqual(['a', 'c', 'first'])
    expect(await deadLetters()).toHaveLength(1)
    await expectWhole(4)
  })

  test('when a table stays locked longer than lock_timeout', async () => {
    await blocker.query('lock table spans in access exclusive mode')
    const written = write([looseSpan('a')])
    await eventually(() => expect(retries.length).toBeGreaterThanOrEqual(1))
    await blocker.query('rollback')
    expect(await written).toMatchObject({ written: 1, deadLettered: 0, duplicates: 0 })
    expect(new Set(retries.map(({ sqlState }) => sqlState))).toEqual(new Set(['55P03']))
    expect(await spanNames()).toEqual(['a', 'first'])
    await expectWhole(2)
  })

  test('when its statement is cancelled', async () => {
    await blocker.query('lock table spans in access exclusive mode')
    const written = write([looseSpan('a')])
    await run(`select pg_cancel_backend(${await waitingSession(/^copy spans /)})`)
    await blocker.query('rollback')
    expect(await written).toMatchObject({ written: 1, deadLettered: 0 })
    expect(retries.map(({ sqlState }) => sqlState)).toContain('57014')
    await expectWhole(2)
  })

  test('when the database is read-only for a while', async () => {
    await run(`alter database ${database.name} set default_transaction_read_only = on`)
    await terminateIdle()
    const written = write([looseSpan('a')])
    await eventually(() => expect(retries.map(({ sqlState }) => sqlState)).toContain('25006'))
    await withPostgres(database.databaseUrl, async (client) => {
      await client.query('set default_transaction_read_only = off')
      await client.query(`alter database ${database.name} reset default_transaction_read_only`)
    })
    expect(await written).toMatchObject({ written: 1, deadLettered: 0 })
    await expectWhole(2)
  })

  /** New settings of a database reach new sessions only. */
  async function terminateIdle(): Promise<void> {
    await run(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'refused rows test'`,
    )
    await eventually(() => expect(pool.totalCount).toBe(0))
  }
})

interface WriteOptions extends Pick<TelemetryWriterOptions<Span>, 'deadLetterPayload'> {
  readonly firstId?: number
}

function openWriter(options: Partial<TelemetryWriterOptions<Span>> = {}): TelemetryWriter<Span> {
  return new TelemetryWriter<Span>(createSpanTable(), {
    pool,
    ...shared,
    stream: STREAM,
    concurrency: 1,
    onRetry: (retry) => retries.push(retry),
    ...options,
  })
}

/** Writes the spans as one batch, an entry each; their ids are `firstId` (0) and those after it. */
async function write(
  spans: readonly object[],
  { firstId = 0, ...options }: WriteOptions = {},
): Promise<BufferStats> {
  const writer = openWriter(options)
  const entries = spans.map((span, index) => ({ id: firstId + index, records: [span] }))
  writer.end(decodedChunk<Span>('traces', entries))
  await once(writer, 'finish')
  return writer.stats()
}

/** Writes each list of spans as a batch of its own, until the writer fails. */
async function writeBatches(
  batches: readonly (readonly object[])[],
): Promise<{ error: ObservatoryError | undefined; committed: number }> {
  let committed = 0
  let error: ObservatoryError | undefined
  const writer = openWriter({
    maxRows: batches[0]!.length,
    onCommitted: () => {
      committed += 1
    },
  })
  const closed = new Promise((resolve) => writer.once('close', resolve))
  writer.on('error', (thrown) => {
    error = thrown as ObservatoryError
  })
  batches.forEach((spans, batch) => {
    const entries = spans.map((span, index) => ({
      id: { ms: BigInt(batch), seq: BigInt(index) },
      records: [span],
    }))
    writer.write(decodedChunk<Span>('traces', entries))
  })
  writer.end()
  await closed
  return { error, committed }
}

async function spanNames(): Promise<string[]> {
  const rows = await select<{ name: string }>(
    database.databaseUrl,
    'select name from spans order by name collate "C"',
  )
  return rows.map(({ name }) => name)
}

interface Letter {
  readonly entry: number
  readonly reason: string
  readonly detail: string
  readonly sqlstate: string | null
  readonly payload: string
}

async function deadLetters(): Promise<Letter[]> {
  return select(
    database.databaseUrl,
    `select entry_ms::int as entry, reason, detail, sqlstate, convert_from(payload, 'UTF8') as payload
       from dead_letters order by entry_ms`,
  )
}

/** Each entry is listed once, the counts are those of the rows and letters, and spans and bodies belong together. */
async function expectWhole(entries: number): Promise<void> {
  const { databaseUrl } = database
  const listed = await listedEntries(databaseUrl, STREAM)
  expect(listed).toHaveLength(entries)
  expect(new Set(listed).size).toBe(entries)
  await expectLedgerCounts(databaseUrl, STREAM, 'spans')
  const [orphans] = await select(
    databaseUrl,
    `select (select count(*)::int from span_contents c
              where not exists (select from spans s where s.entry_ms = c.entry_ms and s.has_content)) as bodies,
            (select count(*)::int from spans s
              where s.has_content and not exists (select from span_contents c where c.entry_ms = s.entry_ms)) as spans`,
  )
  expect(orphans).toEqual({ bodies: 0, spans: 0 })
}
