import { once } from 'node:events'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DataPoint } from '../../src/models/data-point.ts'
import type { LogRecord } from '../../src/models/log-record.ts'
import type { Span } from '../../src/models/span.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { METRIC_POINT_TABLE } from '../../src/writers/metric-point-table.ts'
import { createSpanTable } from '../../src/writers/span-table.ts'
import { TelemetryWriter, type TelemetryWriterOptions } from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { expectLedgerCounts, select } from '../helpers/stored.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

let database: TestDatabase
let pool: pg.Pool

beforeEach(async () => {
  database = await createTestDatabase()
  pool = openPool()
})
afterEach(async () => {
  vi.useRealTimers()
  await pool.end()
  await database.drop()
})

function openPool(databaseUrl = database.databaseUrl): pg.Pool {
  return createPool({ databaseUrl, applicationName: 'writer test', max: 4, onError: () => undefined })
}

const run = (text: string) => withPostgres(database.databaseUrl, (client) => client.query(text))

function logWriter(options: Partial<TelemetryWriterOptions<LogRecord>> = {}): TelemetryWriter<LogRecord> {
  return new TelemetryWriter<LogRecord>(LOG_RECORD_TABLE, { pool, ...options })
}

const log = (n: number) => ({ message: `line ${n}`, service: 'api' })

async function bodies(): Promise<string[]> {
  const rows = await select<{ body: string }>(database.databaseUrl, 'select body from log_records')
  return rows.map(({ body }) => body).sort()
}

const numbered = (length: number) => Array.from({ length }, (_, n) => n)
const lines = (length: number) =>
  numbered(length)
    .map((n) => `line ${n}`)
    .sort()

async function finished(writer: Writable): Promise<void> {
  await once(writer, 'finish')
}

/** Holds every COPY into the table back until it is released. */
async function lock(table: string): Promise<{ release: () => Promise<void> }> {
  const client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'blocker' })
  await client.query('begin')
  await client.query(`lock table ${table} in share row exclusive mode`)
  return {
    release: async () => {
      await client.query('rollback')
      await client.end()
    },
  }
}

describe('arrays of records as applications have them', () => {
  test('of every signal are rows when the writer has ended', async () => {
    const spans = new TelemetryWriter<Span>(createSpanTable(), { pool })
    const points = new TelemetryWriter<DataPoint>(METRIC_POINT_TABLE, { pool })
    const logs = logWriter()
    spans.end([looseSpan('chat', { attributes: { 'gen_ai.usage.input_tokens': 7, 'gen_ai.prompt': 'hi' } })])
    points.end([
      {
        name: 'size',
        type: 'histogram',
        count: 3,
        sum: 6,
        bucketCounts: [1, 2],
        explicitBounds: [1],
        time: Date.now(),
      },
    ])
    logs.end([{ message: { nested: [1, 2] }, level: 'warn' }, log(1)])
    await Promise.all([once(spans, 'finish'), once(points, 'finish'), once(logs, 'finish')])
    const { databaseUrl } = database
    expect(await select(databaseUrl, 'select name, input_tokens, attributes from span_view')).toEqual([
      {
        name: 'chat',
        input_tokens: '7',
        attributes: { 'gen_ai.usage.input_tokens': 7, 'gen_ai.prompt': 'hi' },
      },
    ])
    expect(await select(databaseUrl, 'select name, count, sum, bucket_counts from point_view')).toEqual([
      { name: 'size', count: '3', sum: 6, bucket_counts: ['1', '2'] },
    ])
    expect(await select(databaseUrl, 'select body, level from log_view order by body')).toEqual([
      { body: 'line 1', level: null },
      { body: '{"nested":[1,2]}', level: 'warn' },
    ])
  })

  test('or a single record, each take the times and integers that JavaScript has', async () => {
    const writer = new TelemetryWriter<Span>(createSpanTable(), { pool })
    const nanos = BigInt(Date.now()) * 1_000_000n + 123n
    writer.write(
      looseSpan('bigint', { startTime: undefined, startTimeUnixNano: nanos, attributes: { big: 2n ** 60n } }),
    )
    writer.end([looseSpan('date', { startTime: new Date() })])
    await once(writer, 'finish')
    const rows = await select(
      database.databaseUrl,
      `select name, start_time_unix_nano as nanos, attributes::text from spans order by name`,
    )
    expect(rows).toMatchObject([
      { name: 'bigint', nanos: String(nanos), attributes: `{"big": ${2n ** 60n}}` },
      { name: 'date' },
    ])
  })

  test('that are no records go to the dead letters, each with its reason and what it was; the others are written', async () => {
    const cyclic: Record<string, unknown> = { ...looseSpan('cyclic') }
    cyclic.self = cyclic
    const spans = [
      looseSpan('good 1'),
      null,
      'text',
      looseSpan('bad trace id', { traceId: 'xyz' }),
      looseSpan('no start', { startTime: undefined }),
      looseSpan('old', { startTime: Date.now() - 40 * 86_400_000 }),
      looseSpan('good 2'),
      looseSpan('backwards', { endTime: Date.now() - 3_600_000, durationMs: undefined }),
      cyclic,
      looseSpan('symbol', { attributes: { s: Symbol('s') } }),
    ]
    const writer = new TelemetryWriter<Span>(createSpanTable(), { pool, stream: 'app' })
    writer.end(spans)
    await once(writer, 'finish')
    expect(writer.stats()).toMatchObject({ written: 2, deadLettered: 8, duplicates: 0 })
    const letters = await select(
      database.databaseUrl,
      `select record_index, reason, stream, signal, payload_form, convert_from(payload, 'UTF8') as payload
         from dead_letters order by record_index`,
    )
    expect(letters.map(({ record_index, reason }) => [record_index, reason])).toEqual([
      [1, 'wrong_type'],
      [2, 'wrong_type'],
      [3, 'bad_id'],
      [4, 'missing_field'],
      [5, 'time_out_of_window'],
      [7, 'bad_time'],
      [8, 'too_deep'],
      [9, 'wrong_type'],
    ])
    expect(letters[2]).toMatchObject({ stream: 'app', signal: 'traces', payload_form: 'record' })
    expect(JSON.parse(letters[2]!.payload)).toMatchObject({ name: 'bad trace id', traceId: 'xyz' })
    await expectLedgerCounts(database.databaseUrl, 'app', 'spans')
  })

  test('with values at every limit neither stop the writer nor are doubled', async () => {
    const now = BigInt(Date.now()) * 1_000_000n
    const extremes = [
      Number.MAX_VALUE,
      5e-324,
      -1,
      1e10,
      1e300,
      2 ** 63,
      2n ** 63n,
      -(2n ** 63n),
      'NaN',
      'Infinity',
      '1e400',
      '',
      null,
      true,
      [],
      {},
    ]
    const keys = [
      'gen_ai.usage.input_tokens',
      'gen_ai.usage.cost',
      'gen_ai.server.time_to_first_token',
      'gen_ai.request.model',
      'user.id',
    ]
    const spans = [
      ...extremes.flatMap((value) => keys.map((key) => looseSpan(key, { attributes: { [key]: value } }))),
      ...extremes.flatMap((value) =>
        [
          'durationMs',
          'endTimeUnixNano',
          'flags',
          'kind',
          'status',
          'traceState',
          'events',
          'links',
          'droppedEventsCount',
        ].map((field) => looseSpan(field, { [field]: value })),
      ),
      looseSpan('ends last of all', { durationMs: undefined, endTimeUnixNano: 2n ** 63n - 1n }),
      looseSpan('starts first', { startTime: undefined, startTimeUnixNano: now - 29n * 86_400_000_000_000n }),
      looseSpan('\ud800\0', { attributes: { '\0': '\udfff' }, traceState: '\0'.repeat(3), service: '\0' }),
      looseSpan('x'.repeat(1024), {
        service: '€'.repeat(341),
        attributes: { 'gen_ai.request.model': '€'.repeat(341) },
      }),
    ]
    const points = extremes.flatMap((value) =>
      ['value', 'startTimeUnixNano', 'flags', 'unit', 'exemplars'].map((field) => ({
        name: 'm',
        type: 'gauge',
        value: 1,
        time: Date.now(),
        [field]: value,
      })),
    )
    const distributions = extremes.flatMap((value) =>
      [
        'count',
        'sum',
        'min',
        'scale',
        'zeroCount',
        'zeroThreshold',
        'positive',
        'bucketCounts',
        'quantiles',
      ].flatMap((field) =>
        ['histogram', 'exponentialHistogram', 'summary'].map((type) => ({
          name: 'd',
          type,
          count: 1,
          time: Date.now(),
          [field]: value,
        })),
      ),
    )
    const logs = extremes.flatMap((value) =>
      [
        'body',
        'severityNumber',
        'level',
        'observedTimeUnixNano',
        'eventName',
        'traceId',
        'spanId',
        'flags',
      ].map((field) => ({ ...log(1), [field]: value })),
    )
    const writers = [
      [new TelemetryWriter<Span>(createSpanTable(), { pool }), spans],
      [new TelemetryWriter<DataPoint>(METRIC_POINT_TABLE, { pool }), [...points, ...distributions]],
      [logWriter(), logs],
    ] as const
    for (const [writer, records] of writers) {
      writer.end(records)
      await once(writer, 'finish')
      const { written, deadLettered, duplicates, retries } = writer.stats()
      expect({ sum: written + deadLettered, duplicates, retries }).toEqual({
        sum: records.length,
        duplicates: 0,
        retries: 0,
      })
    }
    const refused = await select(
      database.databaseUrl,
      "select * from dead_letters where reason = 'refused_by_database'",
    )
    expect(refused).toEqual([])
  })

  test('do not fail with one whose members throw when they are read: it alone is refused', async () => {
    const throwing = {
      get message() {
        throw new Error('no')
      },
    }
    const writer = logWriter()
    writer.write([log(0)])
    writer.write([log(1), throwing])
    writer.end([log(2)])
    await finished(writer)
    expect(writer.stats()).toMatchObject({ written: 3, deadLettered: 1 })
    expect(await bodies()).toEqual(lines(3))
  })
})

describe('a batch is committed', () => {
  test('when it is full, while the writer stays open', async () => {
    const writer = logWriter({ maxRows: 3, maxAgeMs: 60_000 })
    writer.write(numbered(2).map(log))
    writer.write([log(2)])
    await eventually(async () => expect(await bodies()).toEqual(lines(3)))
    writer.write([log(3)])
    await sleep(50)
    expect(writer.stats()).toMatchObject({ waitingRecords: 1, written: 3 })
    writer.end()
    await finished(writer)
    expect(await bodies()).toEqual(lines(4))
  })

  test('when it is large', async () => {
    const triggers: string[] = []
    const writer = logWriter({
      maxBytes: 5000,
      maxAgeMs: 60_000,
      onBatch: ({ trigger }) => triggers.push(trigger),
    })
    writer.write([{ message: 'x'.repeat(3000) }])
    writer.write([{ message: 'y'.repeat(3000) }])
    await eventually(() => expect(writer.stats().written).toBe(2))
    expect(triggers).toEqual(['bytes'])
    writer.end()
    await finished(writer)
  })

  test('when it is old', async () => {
    const writer = logWriter({ maxAgeMs: 100 })
    writer.write([log(0)])
    await eventually(async () => expect(await bodies()).toEqual(['line 0']), { timeoutMs: 2000 })
    await eventually(() =>
      expect(writer.stats()).toMatchObject({
        waitingRecords: 0,
        inFlightBatches: 0,
        written: 1,
        oldestAgeMs: 0,
      }),
    )
    writer.end()
    await finished(writer)
  })

  test('and what follows a COMMIT is waited for before the end', async () => {
    const settled: number[] = []
    const writer = logWriter({
      maxRows: 1,
      onCommitted: async ({ rowsWritten }) => {
        await sleep(20)
        settled.push(rowsWritten)
      },
    })
    for (const n of numbered(5)) writer.write([log(n)])
    writer.end()
    await finished(writer)
    expect(settled).toEqual([1, 1, 1, 1, 1])
  })

  test('by the time that end() has finished, all of it, on any connection', async () => {
    const writer = logWriter({ maxRows: 7, concurrency: 3 })
    await pipeline(Readable.from(numbered(100).map((n) => numbered(10).map((m) => log(n * 10 + m)))), writer)
    expect(await bodies()).toEqual(lines(1000))
    expect(writer.stats()).toMatchObject({ written: 1000, waitingRecords: 0, inFlightRecords: 0, retries: 0 })
  })

  test('of nothing at all is no transaction', async () => {
    const writer = logWriter()
    writer.end()
    await finished(writer)
    const empty = logWriter()
    empty.end([])
    await finished(empty)
    expect(empty.stats()).toMatchObject({ written: 0, deadLettered: 0 })
  })
})

describe('while PostgreSQL does not take rows', () => {
  test('write() says so, takes only a bounded number of batches, and goes on by itself afterwards', async () => {
    const blocker = await lock('log_records')
    const writer = logWriter({ maxRows: 10, concurrency: 2 })
    let taken = 0
    const total = 60
    const writing = (async () => {
      for (const n of numbered(total)) {
        const more = writer.write(
          numbered(10).map((m) => log(n * 10 + m)),
          () => {
            taken += 1
          },
        )
        if (!more) await once(writer, 'drain')
      }
      writer.end()
    })()
    await eventually(() => expect(writer.stats().inFlightBatches).toBeGreaterThan(2))
    await sleep(300)
    const held = taken
    // Two at work, and one or two in each of the three stages before and behind.
    expect(held).toBeLessThanOrEqual(10)
    expect(writer.writableNeedDrain).toBe(true)
    const stats = writer.stats()
    expect(stats.waitingRecords + stats.inFlightRecords).toBeGreaterThanOrEqual(held * 10)
    expect(stats.oldestAgeMs).toBeGreaterThanOrEqual(250)
    await sleep(200)
    expect(taken).toBe(held)

    await blocker.release()
    await writing
    await finished(writer)
    expect(await bodies()).toEqual(lines(total * 10))
  })

  test('the stats account for every record that was taken, at any moment', async () => {
    const writer = logWriter({ maxRows: 7, concurrency: 2, maxAgeMs: 5 })
    let taken = 0
    let looks = 0
    const look = () => {
      const { waitingRecords, inFlightRecords, written, deadLettered, duplicates } = writer.stats()
      const sum = waitingRecords + inFlightRecords + written + deadLettered + duplicates
      looks += 1
      expect(sum).toBeGreaterThanOrEqual(taken)
      // The chunk that is being taken may be counted before its callback is called.
      expect(sum).toBeLessThanOrEqual(taken + 2 * 5)
    }
    for (const n of numbered(60)) {
      const chunk = numbered(5).map((m) => (m === 4 ? { severityNumber: 99 } : log(n * 5 + m)))
      const done = new Promise<void>((resolve) => {
        writer.write(chunk, () => {
          taken += 5
          resolve()
        })
      })
      if (n % 3 === 0) await done
      look()
    }
    writer.end()
    await finished(writer)
    look()
    expect(looks).toBe(61)
    expect(writer.stats()).toMatchObject({
      written: 240,
      deadLettered: 60,
      waitingRecords: 0,
      inFlightRecords: 0,
    })
  })

  test('destroy() ends the writer promptly, nothing half-written', async () => {
    const blocker = await lock('log_records')
    const writer = logWriter({ maxRows: 1 })
    writer.write([log(0)])
    await eventually(() => expect(writer.stats().inFlightBatches).toBe(1))
    const closed = once(writer, 'close')
    const started = performance.now()
    writer.destroy()
    await closed
    expect(performance.now() - started).toBeLessThan(1000)
    await blocker.release()
    await eventually(() => expect(pool.idleCount).toBe(pool.totalCount))
    await expect(bodies()).resolves.toHaveLength(await ledgerRows())
  })

  test('destroy() after end() ends it promptly, too', async () => {
    const unreachable = openPool('postgresql://nobody@127.0.0.1:1/nowhere')
    const retries: number[] = []
    const writer = logWriter({ pool: unreachable, onRetry: ({ attempt }) => retries.push(attempt) })
    writer.on('error', () => undefined)
    writer.end([log(0)])
    await eventually(() => expect(retries.length).toBeGreaterThanOrEqual(2))
    const closed = once(writer, 'close')
    const started = performance.now()
    writer.destroy()
    await closed
    expect(performance.now() - started).toBeLessThan(500)
    await unreachable.end()
  })

  test('destroy() between two attempts ends it promptly, and no timer goes on', async () => {
    const unreachable = openPool('postgresql://nobody@127.0.0.1:1/nowhere')
    const retries: number[] = []
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const timersBefore = timers()
    const writer = logWriter({ pool: unreachable, onRetry: ({ attempt }) => retries.push(attempt) })
    writer.write([log(0)])
    await eventually(() => expect(retries.length).toBeGreaterThanOrEqual(5))
    const closed = once(writer, 'close')
    const started = performance.now()
    writer.destroy()
    await closed
    expect(performance.now() - started).toBeLessThan(500)
    const tried = retries.length
    await eventually(() => expect(timers()).toBeLessThanOrEqual(timersBefore), { timeoutMs: 200 })
    await sleep(300)
    expect(retries.length).toBeLessThanOrEqual(tried + 1)
    await unreachable.end()
  })

  test('destroy() with an error tells it, once', async () => {
    const writer = logWriter()
    const errors: Error[] = []
    writer.on('error', (error) => errors.push(error))
    const closed = new Promise((resolve) => writer.once('close', resolve))
    const reason = new Error('enough')
    writer.destroy(reason)
    await closed
    expect(errors).toEqual([reason])
  })

  async function ledgerRows(): Promise<number> {
    const [row] = await select<{ n: number }>(
      database.databaseUrl,
      'select coalesce(sum(row_count), 0)::int as n from ingest_ledger',
    )
    return row!.n
  }
})

describe('a failure that no retry mends', () => {
  test('is the error of the writer, and of every write after it', async () => {
    await run('drop table dead_letters, span_contents, log_records cascade')
    const writer = logWriter()
    const failed = once(writer, 'error')
    writer.write([log(0)])
    const [error] = await failed
    expect(error).toMatchObject({ code: 'ERR_INGEST_STOPPED' })
    const refused = await new Promise((resolve) => writer.write([log(1)], resolve))
    expect(refused).toBeInstanceOf(Error)
  })

  test('fails the end that waits for it', async () => {
    await run('alter table log_records drop column flags cascade')
    await expect(pipeline(Readable.from([[log(0)]]), logWriter())).rejects.toMatchObject({
      code: 'ERR_INGEST_STOPPED',
    })
  })

  test('in what the caller does after COMMIT fails the writer; what was committed stays', async () => {
    const writer = logWriter({
      onCommitted: () => {
        throw new Error('no more disk')
      },
    })
    await expect(pipeline(Readable.from([[log(0)]]), writer)).rejects.toThrow('no more disk')
    expect(await bodies()).toEqual(['line 0'])
  })
})

describe('several writers', () => {
  test('that share nothing write the same content without conflict', async () => {
    const pools = numbered(4).map(() => openPool())
    const writers = pools.map((each) => logWriter({ pool: each, maxRows: 20, concurrency: 2 }))
    await Promise.all(
      writers.map((writer, index) =>
        pipeline(
          Readable.from(numbered(50).map((n) => numbered(5).map((m) => log(index * 250 + n * 5 + m)))),
          writer,
        ),
      ),
    )
    await Promise.all(pools.map((each) => each.end()))
    expect(await bodies()).toEqual(lines(1000))
    expect(writers.map((writer) => writer.stats().retries)).toEqual([0, 0, 0, 0])
  })

  test('of one name that begin at the same moment do not take their records for one another’s', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const writers = numbered(3).map(() => logWriter({ stream: 'app' }))
    writers.forEach((writer, n) => {
      writer.end([log(n)])
    })
    await Promise.all(writers.map(finished))
    expect(await bodies()).toEqual(lines(3))
  })

  test('and one whose clock is set back doubles nothing and loses nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const writer = logWriter({ stream: 'app', maxAgeMs: 50 })
    for (const n of numbered(6)) {
      writer.write([log(n)])
      vi.setSystemTime(Date.now() - 1000)
    }
    writer.end()
    await finished(writer)
    expect(await bodies()).toEqual(lines(6))
    const listed = await select(
      database.databaseUrl,
      "select sum(entry_count)::int as n from ingest_ledger where stream = 'app'",
    )
    expect(listed).toEqual([{ n: 6 }])
  })

  test('one after the other on one pool: a writer that has ended leaves nothing on the pool', async () => {
    const before = pool.eventNames().map((name) => [name, pool.listenerCount(name)])
    for (const n of numbered(12)) {
      const writer = logWriter()
      if (n % 3 === 0) writer.destroy()
      else writer.end([log(n)])
      await once(writer, 'close')
    }
    expect(pool.eventNames().map((name) => [name, pool.listenerCount(name)])).toEqual(before)
  })
})
