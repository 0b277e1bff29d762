import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LetterRef, type ReplayOptions, replayLetters } from '../../src/ingest/replay-letters.ts'
import { NO_PRICES } from '../../src/models/prices/price-list.ts'
import { NO_PRIVACY } from '../../src/models/privacy/privacy.ts'
import { createPool } from '../../src/pool.ts'
import { DeadLetterRepository } from '../../src/repositories/dead-letter-repository.ts'
import type { LetterFilter } from '../../src/repositories/letter-filter.ts'
import type { ReplayOutcome } from '../../src/writers/replay-transaction.ts'
import { type CommitLosingProxy, createCommitLosingProxy } from '../helpers/commit-losing-proxy.ts'
import { insertLetter, type LetterShape, resp } from '../helpers/dead-letters.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { select } from '../helpers/stored.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const DAY_MS = 86_400_000

let database: TestDatabase
let proxy: CommitLosingProxy
let pool: pg.Pool

beforeEach(async () => {
  database = await createTestDatabase()
  proxy = await createCommitLosingProxy(database.databaseUrl)
  pool = createPool({
    databaseUrl: proxy.databaseUrl,
    applicationName: 'replay test',
    max: 4,
    lockTimeoutMs: 2000,
    onError: () => undefined,
  })
})
afterEach(async () => {
  await pool.end()
  await proxy.close()
  await database.drop()
})

const run = (text: string) => withPostgres(database.databaseUrl, (client) => client.query(text))
const insert = (shape: LetterShape) => insertLetter(database.databaseUrl, shape)
const rowsOf = <R extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
  select<R>(database.databaseUrl, text, values)

interface Summary extends Omit<ReplayOutcome, 'refused'> {
  readonly refused: readonly { letterId: string; reason: string; detail: string }[]
}

/** Replays what matches, as the command does. */
async function replay(options: Partial<ReplayOptions> = {}, filter: LetterFilter = {}): Promise<Summary> {
  const refs = await new DeadLetterRepository(pool).streamReplayable(filter, new AbortController().signal)
  return replayRefs(refsOf(refs), options)
}

async function replayRefs(
  refs: AsyncIterable<LetterRef>,
  options: Partial<ReplayOptions> = {},
): Promise<Summary> {
  const sum = { replayed: 0, rows: 0, lettersAdded: 0, taken: 0, refused: [] as Summary['refused'] }
  await replayLetters(refs, {
    pool,
    recordLimits: { acceptPastDays: 30, acceptFutureDays: 1, maxRecordBytes: 1024 * 1024, maxDepth: 32 },
    seriesLimits: { maxPerMetric: 100, maxPerService: 100 },
    partitionInterval: 'day',
    prices: NO_PRICES,
    privacy: NO_PRIVACY,
    maxRows: 1000,
    maxBytes: 1024 * 1024,
    dryRun: false,
    signal: new AbortController().signal,
    ...options,
    onBatch: async (outcome) => {
      sum.replayed += outcome.replayed
      sum.rows += outcome.rows
      sum.lettersAdded += outcome.lettersAdded
      sum.taken += outcome.taken
      sum.refused = [...sum.refused, ...outcome.refused]
      await options.onBatch?.(outcome)
    },
  })
  return sum
}

async function* refsOf(
  rows: AsyncIterable<[string, LetterRef['signal'], string]>,
): AsyncGenerator<LetterRef> {
  for await (const [letterId, signal, bytes] of rows) yield { letterId, signal, payloadBytes: Number(bytes) }
}

const span = (name: string, fields: object = {}) => looseSpan(name, fields)
const point = (name: string, fields: object = {}) => ({
  name,
  type: 'gauge',
  value: 1,
  time: Date.now(),
  ...fields,
})
const log = (message: string, fields: object = {}) => ({ message, service: 'api', ...fields })

const TABLES = { traces: 'span_view', metrics: 'point_view', logs: 'log_view' } as const
const NAMES = { traces: 'name', metrics: 'name', logs: 'body' } as const
const RECORDS = { traces: span, metrics: point, logs: log } as const
const SIGNALS = ['traces', 'metrics', 'logs'] as const

/** Name and place of all rows of a signal. */
async function stored(signal: (typeof SIGNALS)[number]): Promise<string[]> {
  const rows = await rowsOf<{ row: string }>(
    `select format('%s %s-%s/%s', ${NAMES[signal]}, entry_ms, entry_seq, record_index) as row
       from ${TABLES[signal]} order by record_index, 1`,
  )
  return rows.map(({ row }) => row)
}

describe.each(SIGNALS)('a dead letter of %s becomes a row under the id its entry had', (signal) => {
  const record = RECORDS[signal]
  const [ms, seq] = [Date.now() - 5000, 7]

  test('as a record of an array, with its index', async () => {
    const id = await insert({ signal, payload: record('mended'), index: 3, ms, seq })
    expect(await replay()).toEqual({ replayed: 1, rows: 1, lettersAdded: 0, taken: 0, refused: [] })
    expect(await stored(signal)).toEqual([`mended ${ms}-${seq}/3`])
    expect(
      await rowsOf(
        'select letter_id, replayed_rows, replayed_at > now() - interval $$1 min$$ as now from dead_letters',
      ),
    ).toEqual([{ letter_id: id, replayed_rows: 1, now: true }])
  })

  test('as the json field of a whole entry: an array, or one record', async () => {
    await insert({ signal, form: 'json', payload: [record('first'), record('second')], index: -1, ms, seq })
    await insert({ signal, form: 'json', payload: record('alone'), index: -1, ms, seq: 8 })
    expect(await replay()).toMatchObject({ replayed: 2, rows: 3, refused: [] })
    expect(await stored(signal)).toEqual([`alone ${ms}-8/0`, `first ${ms}-7/0`, `second ${ms}-7/1`])
    expect(await rowsOf('select replayed_rows from dead_letters order by entry_seq')).toEqual([
      { replayed_rows: 2 },
      { replayed_rows: 1 },
    ])
  })

  test('as all fields of the entry, flat or with json', async () => {
    const fields = Object.entries(record('flat')).flatMap(([name, value]) => [name, String(value)])
    await insert({ signal, form: 'entry', payload: resp(...fields), index: 0, ms, seq })
    await insert({
      ...{ signal, form: 'entry', index: -1, ms, seq: 9, reason: 'unknown_form' },
      payload: resp('json', JSON.stringify([record('whole')])),
    })
    expect(await replay()).toMatchObject({ replayed: 2, rows: 2, refused: [] })
    expect(await stored(signal)).toEqual([`flat ${ms}-7/0`, `whole ${ms}-9/0`])
  })
})

test('ids past 2^63 and a log record without a time, which has that of its entry, are kept', async () => {
  const ms = Date.now() - 3_600_000
  await insert({ payload: log('no time'), ms, seq: 2n ** 64n - 1n })
  await replay()
  expect(await rowsOf('select entry_ms, entry_seq, time_unix_nano from log_records')).toEqual([
    { entry_ms: String(ms), entry_seq: '-1', time_unix_nano: `${ms}000000` },
  ])
})

test('a record of an array that is an array itself is no list of records', async () => {
  await insert({ payload: [log('inner')] })
  expect(await replay()).toMatchObject({ replayed: 0, rows: 0, refused: [{ reason: 'wrong_type' }] })
})

describe('what is still refused', () => {
  test('stays a letter as it was, and is told with its present reason', async () => {
    const id = await insert({ payload: { message: 'x', traceId: 'zz' }, reason: 'time_out_of_window' })
    await insert({ payload: log('good') })
    const before = await rowsOf('select * from dead_letters where letter_id = $1', [id])
    expect(await replay()).toMatchObject({
      ...{ replayed: 1, rows: 1, taken: 0 },
      refused: [{ letterId: id, reason: 'bad_id', detail: expect.stringContaining('traceId') }],
    })
    expect(await rowsOf('select * from dead_letters where letter_id = $1', [id])).toEqual(before)
  })

  test('of an entry whose other records are good has letters of its own, which are no letters of ingest', async () => {
    const at = new Date(Date.now() - 5 * DAY_MS)
    const whole = [log('good 0'), { message: 'bad', spanId: '!' }, log('good 2'), 7]
    const id = await insert({
      form: 'json',
      payload: whole,
      index: -1,
      ms: 1000n,
      seq: 5,
      at,
      reason: 'too_large',
    })
    const old = {
      recordLimits: { acceptPastDays: 36500, acceptFutureDays: 1, maxRecordBytes: 1e6, maxDepth: 32 },
    }
    expect(await replay(old)).toMatchObject({ replayed: 1, rows: 2, lettersAdded: 2, refused: [] })
    const added = await rowsOf(
      `select stream, signal, entry_ms, entry_seq, record_index, reason, dead_lettered_at, payload_form,
              convert_from(payload, 'UTF8') as payload, payload_bytes, replayed_at
         from dead_letters where replay_of = $1 order by record_index`,
      [id],
    )
    const same = {
      stream: 'telemetry:logs',
      signal: 'logs',
      entry_ms: '1000',
      entry_seq: '5',
      dead_lettered_at: at,
    }
    expect(added).toEqual([
      {
        ...{ ...same, record_index: 1, reason: 'bad_id', payload_form: 'record', replayed_at: null },
        ...{ payload: '{"message":"bad","spanId":"!"}', payload_bytes: '30' },
      },
      {
        ...{ ...same, record_index: 3, reason: 'wrong_type', payload_form: 'record', replayed_at: null },
        ...{ payload: '7', payload_bytes: '1' },
      },
    ])
    expect(
      await rowsOf('select replayed_rows, replay_of from dead_letters where letter_id = $1', [id]),
    ).toEqual([{ replayed_rows: 2, replay_of: null }])
    expect((await stored('logs')).map((row) => row.slice(-2))).toEqual(['/0', '/2'])
  })

  test('of an entry without any good record is the letter of that entry still', async () => {
    await insert({ form: 'json', payload: [1, 2], index: -1 })
    expect(await replay()).toMatchObject({
      replayed: 0,
      lettersAdded: 0,
      refused: [{ reason: 'wrong_type' }],
    })
    expect(await rowsOf('select replayed_at from dead_letters')).toEqual([{ replayed_at: null }])
  })

  test.each<[string, LetterShape, string]>([
    ['no JSON', { form: 'json', payload: '{', index: -1 }, 'not_json'],
    ['a record that is no JSON', { payload: 'not' }, 'not_json'],
    ['no RESP', { form: 'entry', payload: '*2\r\n$1\r\na\r\n$5\r\nb\r\n', index: -1 }, 'unknown_form'],
    [
      'a request of OTLP that is none',
      { form: 'entry', payload: resp('otlp', Buffer.from([0, 255])), index: -1 },
      'not_protobuf',
    ],
    ['a payload that was not kept', { payload: null, reason: 'bad_id' }, 'bad_id'],
    [
      'one larger than an entry may be',
      { form: 'json', payload: Buffer.alloc(16 * 1024 * 1024 + 1, ' ') },
      'too_large',
    ],
    [
      'a record deeper than may be',
      { payload: `{"attributes":{"a":${'['.repeat(40)}${']'.repeat(40)}}}` },
      'too_deep',
    ],
  ])('is told of %s', async (_, shape, reason) => {
    const id = await insert(shape)
    expect(await replay()).toMatchObject({ replayed: 0, refused: [{ letterId: id, reason }] })
  })

  test('because PostgreSQL refuses the row is found among the others', async () => {
    await run("alter table spans add constraint no_bad_names check (name not like 'bad%')")
    for (let n = 0; n < 12; n += 1)
      await insert({ signal: 'traces', payload: span(n === 5 ? 'bad 5' : `good ${n}`) })
    const mixed = [span('good in whole'), span('bad in whole')]
    const whole = await insert({ signal: 'traces', form: 'json', payload: mixed, index: -1 })
    expect(await replay()).toMatchObject({
      ...{ replayed: 12, rows: 12, lettersAdded: 1 },
      refused: [{ reason: 'refused_by_database', detail: expect.stringContaining('no_bad_names') }],
    })
    expect(await rowsOf('select count(*)::int as count from spans')).toEqual([{ count: 12 }])
    expect(
      await rowsOf('select reason, sqlstate, record_index from dead_letters where replay_of = $1', [whole]),
    ).toEqual([{ reason: 'refused_by_database', sqlstate: '23514', record_index: 1 }])
    await run('alter table spans drop constraint no_bad_names')
    expect(await replay()).toMatchObject({ replayed: 2, rows: 2, refused: [] })
    expect(await rowsOf('select count(distinct name)::int as count from spans')).toEqual([{ count: 14 }])
  })

  test('because its metric has too many series is replayed once the limit is raised', async () => {
    for (let n = 0; n < 5; n += 1) {
      await insert({
        signal: 'metrics',
        payload: point('size', { attributes: { n } }),
        reason: 'series_limit',
      })
    }
    const few = await replay({ seriesLimits: { maxPerMetric: 3, maxPerService: 100 } })
    expect(few).toMatchObject({
      replayed: 3,
      refused: [{ reason: 'series_limit' }, { reason: 'series_limit' }],
    })
    expect(await replay()).toMatchObject({ replayed: 2, rows: 2, refused: [] })
  })
})

describe('the accepted time', () => {
  const at = (days: number) => new Date(Date.now() - days * DAY_MS)

  test('of a letter refused for its time is judged by the clock and the settings of now', async () => {
    const payload = log('old', { time: at(40) })
    const id = await insert({ payload, reason: 'time_out_of_window', at: at(39) })
    expect(await replay()).toMatchObject({ refused: [{ letterId: id, reason: 'time_out_of_window' }] })
    const wide = { acceptPastDays: 50, acceptFutureDays: 1, maxRecordBytes: 1e6, maxDepth: 32 }
    expect(await replay({ recordLimits: wide })).toMatchObject({ replayed: 1, rows: 1 })
  })

  test('of one that was ahead of the clock comes', async () => {
    await insert({ payload: log('early', { time: at(1) }), reason: 'time_out_of_window', at: at(9) })
    expect(await replay()).toMatchObject({ replayed: 1 })
  })

  test('of a letter refused for another reason is not lost by waiting', async () => {
    await insert({ payload: log('waited', { time: at(45) }), reason: 'too_deep', at: at(40) })
    const never = await insert({ payload: log('never', { time: at(71) }), reason: 'too_deep', at: at(40) })
    expect(await replay()).toMatchObject({
      replayed: 1,
      refused: [{ letterId: never, reason: 'time_out_of_window' }],
    })
    expect(await rowsOf('select body from log_records')).toEqual([{ body: 'waited' }])
  })

  test('may be that of a partition which is not there yet', async () => {
    await insert({ signal: 'traces', payload: span('days ago', { startTime: at(20) }) })
    expect(await replay()).toMatchObject({ replayed: 1, rows: 1 })
  })
})

describe('a replay writes once', () => {
  test('when it is repeated', async () => {
    for (let n = 0; n < 50; n += 1) await insert({ payload: log(`line ${n}`) })
    expect(await replay()).toMatchObject({ replayed: 50, rows: 50 })
    expect(await replay()).toMatchObject({ replayed: 0, rows: 0, taken: 0 })
    expect(await stored('logs')).toHaveLength(50)
  })

  test('when several run at the same time', async () => {
    for (let n = 0; n < 60; n += 1) await insert({ payload: log(`line ${n}`), ms: n })
    const settings = {
      maxRows: 7,
      recordLimits: { acceptPastDays: 36500, acceptFutureDays: 1, maxRecordBytes: 1e6, maxDepth: 32 },
    }
    const replays = await Promise.all([replay(settings), replay(settings)])
    const sum = (of: (each: Summary) => number) => replays.reduce((total, each) => total + of(each), 0)
    expect(sum(({ replayed }) => replayed)).toBe(60)
    expect(sum(({ taken }) => taken)).toBeGreaterThan(0)
    expect(new Set(await stored('logs')).size).toBe(60)
    expect(await stored('logs')).toHaveLength(60)
  })

  test('when another one holds the letter, which is left to it', async () => {
    const id = await insert({})
    const holder = await pool.connect()
    await holder.query('begin')
    await holder.query('select from dead_letters where letter_id = $1 for update', [id])
    expect(await replay()).toMatchObject({ replayed: 0, rows: 0, taken: 1 })
    await holder.query('rollback')
    holder.release()
    expect(await replay()).toMatchObject({ replayed: 1, taken: 0 })
  })

  test('when the answer to its COMMIT is lost, and tells that it did', async () => {
    for (let n = 0; n < 20; n += 1) await insert({ payload: log(`line ${n}`) })
    proxy.loseCommits(1)
    expect(await replay()).toMatchObject({ replayed: 20, rows: 20, taken: 0, refused: [] })
    expect(proxy.lost()).toBe(1)
    expect(await stored('logs')).toHaveLength(20)
    expect(await rowsOf('select sum(replayed_rows)::int as rows from dead_letters')).toEqual([{ rows: 20 }])
  })

  test('when its connection is lost before COMMIT', async () => {
    for (let n = 0; n < 20; n += 1) await insert({ payload: log(`line ${n}`) })
    const [first] = await rowsOf<{ letter_id: string }>('select letter_id from dead_letters limit 1')
    // Its partition is there then: making one would wait for the lock, too.
    await replay({}, { ids: [first?.letter_id ?? ''] })
    const locker = await pool.connect()
    await locker.query('begin; lock table log_records in share row exclusive mode')
    const replaying = replay()
    await expect.poll(() => terminated('copy log_records%'), { timeout: 5000 }).toBe(1)
    await locker.query('rollback')
    locker.release()
    expect(await replaying).toMatchObject({ replayed: 19, rows: 19, taken: 0 })
    expect(await stored('logs')).toHaveLength(20)
  })

  test('unless it was purged since it was chosen', async () => {
    const id = await insert({})
    async function* chosen(): AsyncGenerator<LetterRef> {
      yield { letterId: id, signal: 'logs', payloadBytes: 1 }
      await run('update dead_letters set purged_at = now(), payload = null')
    }
    expect(await replayRefs(chosen())).toEqual({
      replayed: 0,
      rows: 0,
      lettersAdded: 0,
      taken: 1,
      refused: [],
    })
    expect(await stored('logs')).toEqual([])
  })
})

/** Ends the backends that run such a query. */
async function terminated(query: string): Promise<number> {
  const ended = await rowsOf(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like $1 and pid <> pg_backend_pid()`,
    [query],
  )
  return ended.length
}

test('a dry run writes nothing, and counts what decoding says', async () => {
  await insert({ form: 'json', payload: [log('a'), 1], index: -1 })
  const bad = await insert({ payload: 'x' })
  await insert({})
  const before = await rowsOf('select * from dead_letters order by letter_id')
  expect(await replay({ dryRun: true })).toEqual({
    ...{ replayed: 2, rows: 2, lettersAdded: 1, taken: 0 },
    refused: [{ letterId: bad, reason: 'not_json', detail: expect.any(String) }],
  })
  expect(await rowsOf('select * from dead_letters order by letter_id')).toEqual(before)
  expect(await stored('logs')).toEqual([])
})

test('batches are cut by rows, and by the bytes of the payloads', async () => {
  for (let n = 0; n < 10; n += 1) await insert({ payload: log(`line ${n}`) })
  const sizes: number[] = []
  const onBatch = ({ replayed }: ReplayOutcome) => void sizes.push(replayed)
  await replay({ maxRows: 4, onBatch })
  expect(sizes).toEqual([4, 4, 2])
  for (let n = 0; n < 4; n += 1) await insert({ payload: log('x'.repeat(400)) })
  sizes.length = 0
  await replay({ maxBytes: 1000, onBatch })
  expect(sizes).toEqual([2, 2])
})

test('only letters that the filter names are replayed', async () => {
  await insert({ signal: 'traces', payload: span('a'), reason: 'bad_id' })
  await insert({ signal: 'logs', payload: log('b'), reason: 'bad_id' })
  const id = await insert({ signal: 'logs', payload: log('c'), reason: 'bad_time' })
  expect(await replay({}, { reason: 'bad_id', telemetrySignal: 'logs' })).toMatchObject({ replayed: 1 })
  expect(await stored('logs')).toHaveLength(1)
  expect(await replay({}, { ids: [id] })).toMatchObject({ replayed: 1 })
  expect(await stored('traces')).toEqual([])
})

test('a schema that does not fit stops the replay with the letters as they were', async () => {
  await insert({})
  await run('alter table log_records rename column body to content')
  await expect(replay()).rejects.toMatchObject({
    code: 'ERR_SERVER_UNSUITABLE',
    message: expect.stringContaining('The replay stopped'),
  })
  expect(await rowsOf('select replayed_at from dead_letters')).toEqual([{ replayed_at: null }])
})

test('a COMMIT that PostgreSQL refuses has replayed nothing, and says so', async () => {
  await insert({})
  await run(`create table services (name text primary key);
    alter table log_records add foreign key (service) references services deferrable initially deferred`)
  await expect(replay()).rejects.toMatchObject({ code: 'ERR_SERVER_UNSUITABLE', cause: { code: '23503' } })
  expect(await rowsOf('select replayed_at from dead_letters')).toEqual([{ replayed_at: null }])
  await run("insert into services values ('api')")
  expect(await replay()).toMatchObject({ replayed: 1, rows: 1, taken: 0 })
})
