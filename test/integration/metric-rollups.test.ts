import { once } from 'node:events'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { MetricRepository } from '../../src/repositories/metric-repository.ts'
import type { Aggregate } from '../../src/repositories/metrics/aggregates.ts'
import type { MetricQuery } from '../../src/repositories/metrics/metric-query.ts'
import { keepMetricRollups } from '../../src/retention/rollups/metrics/keep-metric-rollups.ts'
import { returnMetricRollups } from '../../src/retention/rollups/metrics/return-metric-rollups.ts'
import { MetricWriter } from '../../src/writers/metric-writer.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const MINUTE = 60_000_000_000n
const HOUR = 60n * MINUTE
const DAY = 24n * HOUR
/** A midnight; two days and two hours from it are written. */
const START_MINUTE = (Math.floor(Date.now() / 86_400_000) - 3) * 1440
const START = BigInt(START_MINUTE) * MINUTE
const END_MINUTE = START_MINUTE + 50 * 60
const HOURS = [0, 1, 2, 22, 23, 24, 25, 47, 48, 49]

let database: TestDatabase
let pool: pg.Pool
let poolOfPoints: pg.Pool
let metrics: MetricRepository
let ofPoints: MetricRepository

beforeAll(async () => {
  database = await createTestDatabase()
  const options = { applicationName: 'metric rollups test', max: 3, onError: () => undefined }
  pool = createPool({ ...options, databaseUrl: database.databaseUrl })
  await pool.query(`
    create schema of_points;
    create table of_points.metric_rollup_hours as table metric_rollup_hours;
    create table of_points.metric_rollup_days as table metric_rollup_days;
    create table of_points.changed_minutes as
      select 'metrics' as signal, int4multirange(int4range(0, ${END_MINUTE + 1440})) as pending`)
  const url = new URL(database.databaseUrl)
  url.searchParams.set('options', '-c search_path=of_points,public')
  poolOfPoints = createPool({ ...options, databaseUrl: url.href })
  metrics = new MetricRepository(pool)
  ofPoints = new MetricRepository(poolOfPoints)
})
beforeEach(() =>
  pool.query('truncate metric_points, metric_rollup_hours, metric_rollup_days, changed_minutes'),
)
afterAll(async () => {
  await poolOfPoints?.end()
  await pool?.end()
  await database.drop()
})

const TIME = fc
  .record({
    hour: fc.constantFrom(...HOURS),
    minute: fc.oneof(fc.constantFrom(0, 59), fc.nat(59)),
    nanos: fc.constantFrom(0n, 0n, 7n, 1234n, MINUTE - 1n),
  })
  .map(({ hour, minute, nanos }) => START + BigInt(hour) * HOUR + BigInt(minute) * MINUTE + nanos)
/** Of what is added up as doubles the sum is the same in any order. */
const EXACT = fc.integer({ min: -400, max: 4000 }).map((eighths) => eighths / 8)
const VALUE = fc.oneof({ weight: 9, arbitrary: EXACT }, fc.constantFrom(0.1, 0.7, -0.3, 1e-3))
const COUNT = fc.oneof(fc.constant(0), fc.nat(30))
const COUNTS = fc.array(COUNT, { minLength: 3, maxLength: 3 })
const BUCKETS = fc.record({
  offset: fc.integer({ min: -5, max: 5 }),
  bucketCounts: fc.array(COUNT, { maxLength: 4 }),
})

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
const known = fc.option(EXACT, { nil: undefined })
const HISTOGRAM = fc
  .record({
    bounds: fc.constantFrom([0, 5], [0, 5], [0, 5], [1, 10]),
    counts: COUNTS,
    sum: known,
    min: known,
    max: known,
  })
  .map(({ bounds, counts, ...rest }) => ({
    ...rest,
    count: total(counts),
    explicitBounds: bounds,
    bucketCounts: counts,
  }))
const EXPONENTIAL = fc
  .record({
    scale: fc.constantFrom(0, 1, 3),
    zeroCount: COUNT,
    zeroThreshold: fc.constantFrom(0, 0, 0.25),
    positive: BUCKETS,
    negative: BUCKETS,
    sum: known,
  })
  .map((point) => ({
    ...point,
    count: point.zeroCount + total(point.positive.bucketCounts) + total(point.negative.bucketCounts),
  }))
const SUMMARY = fc
  .record({
    count: COUNT,
    sum: EXACT,
    told: fc.array(fc.constantFrom(0.5, 0.95), { maxLength: 2 }),
    value: EXACT,
  })
  .map(({ count, sum, told, value }) => ({
    count,
    sum,
    quantiles: [...new Set(told)].map((quantile) => ({ quantile, value: value + quantile })),
  }))
const NUMBER = VALUE.map((value) => ({ value }))
const GAUGE = fc
  .oneof({ weight: 20, arbitrary: VALUE }, fc.constantFrom('NaN', 'Infinity', 1.5e308, -1.5e308))
  .map((value) => ({ value }))

interface Kind {
  readonly metric: Readonly<Record<string, unknown>> & { readonly name: string }
  readonly point: fc.Arbitrary<Record<string, unknown>>
  readonly aggregates: readonly Aggregate[]
}
const DISTRIBUTED: readonly Aggregate[] = [
  'avg',
  'sum',
  'min',
  'max',
  'count',
  'rate',
  'increase',
  'p10',
  'p50',
  'p99',
]
const KINDS: readonly Kind[] = [
  {
    metric: { name: 'temperature', type: 'gauge' },
    point: NUMBER,
    aggregates: ['avg', 'sum', 'min', 'max', 'count', 'last'],
  },
  { metric: { name: 'odd', type: 'gauge' }, point: GAUGE, aggregates: ['min', 'max', 'count', 'last'] },
  {
    metric: { name: 'requests', type: 'counter' },
    point: NUMBER,
    aggregates: ['rate', 'increase', 'sum', 'count', 'last'],
  },
  {
    metric: { name: 'sent', type: 'counter', temporality: 'delta' },
    point: NUMBER,
    aggregates: ['rate', 'increase', 'sum', 'count', 'last'],
  },
  {
    metric: { name: 'balance', type: 'updowncounter' },
    point: NUMBER,
    aggregates: ['avg', 'sum', 'min', 'max', 'count', 'last', 'rate', 'increase'],
  },
  {
    metric: { name: 'moved', type: 'updowncounter', temporality: 'delta' },
    point: NUMBER,
    aggregates: ['avg', 'sum', 'last', 'increase'],
  },
  { metric: { name: 'duration', type: 'histogram' }, point: HISTOGRAM, aggregates: DISTRIBUTED },
  {
    metric: { name: 'latency', type: 'histogram', temporality: 'delta' },
    point: HISTOGRAM,
    aggregates: DISTRIBUTED,
  },
  { metric: { name: 'size', type: 'exponentialHistogram' }, point: EXPONENTIAL, aggregates: DISTRIBUTED },
  {
    metric: { name: 'weight', type: 'exponentialHistogram', temporality: 'delta' },
    point: EXPONENTIAL,
    aggregates: DISTRIBUTED,
  },
  {
    metric: { name: 'gc', type: 'summary' },
    point: SUMMARY,
    aggregates: ['avg', 'sum', 'count', 'rate', 'increase', 'p50', 'p95'],
  },
]

const pointOf = ({ metric, point }: Kind) =>
  fc
    .record({
      point,
      time: TIME,
      // Which series: several of one service, one in an environment.
      series: fc.constantFrom(
        { service: 'bot', zone: 'a' },
        { service: 'bot', zone: 'b' },
        { service: 'shop', zone: 'a' },
      ),
      start: fc.option(fc.oneof(fc.constant(START - HOUR), TIME), { nil: undefined }),
    })
    .map(({ point: measured, time, series: { service, zone }, start }) => ({
      ...metric,
      ...measured,
      service,
      timeUnixNano: String(time),
      ...(start !== undefined && start <= time && { startTimeUnixNano: String(start) }),
      attributes: { zone },
      ...(service === 'shop' && { resource: { 'deployment.environment.name': 'prod' } }),
    }))
/** Many of few metrics: the order and the resets of points are what is to be tested. */
const pointsOf = (kinds: readonly Kind[]) =>
  fc.array(fc.constantFrom(...kinds).chain(pointOf), { minLength: 30, maxLength: 120 })

const END = fc.option(
  fc.oneof(
    TIME,
    TIME.map((time) => (time / HOUR) * HOUR),
    fc.constant(START + DAY),
  ),
  { nil: undefined },
)
const questionOf = (kind: Kind): fc.Arbitrary<MetricQuery> =>
  fc
    .record({
      by: fc.subarray(['service', 'zone', 'environment', 'nothing']),
      step: fc.constantFrom(undefined, MINUTE, 90n * MINUTE, HOUR, HOUR, 6n * HOUR, DAY, DAY),
      from: END,
      to: END,
      service: fc.constantFrom(undefined, undefined, 'bot'),
      zone: fc.constantFrom(undefined, undefined, 'a'),
    })
    .map(({ by, step, from, to, service, zone }) => ({
      name: kind.metric.name,
      conditions: {
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
        ...(service !== undefined && { service }),
        ...(zone !== undefined && { attributes: [['zone', zone]] as const }),
      },
      aggregates: kind.aggregates.filter(
        (word) => word !== 'rate' || (to !== undefined && (step !== undefined || from !== undefined)),
      ),
      by,
      step,
      limit: null,
    }))
const questionsOf = (kinds: readonly Kind[]) =>
  fc.tuple(...[...kinds, ...kinds].map((kind) => questionOf(kind)))
/** Few at once, so that there are several points of a series in an hour. */
const GROUPS = [
  ['temperature', 'odd', 'sent'],
  ['requests', 'balance', 'moved'],
  ['duration', 'latency'],
  ['size', 'weight', 'gc'],
].map((names) => KINDS.filter(({ metric: { name } }) => names.includes(name)))

async function write(records: readonly object[]): Promise<void> {
  const writer = new MetricWriter({ pool })
  writer.end(records)
  await once(writer, 'finish')
}

const rollUp = (before: number) => rollUpAll(pool, before)

async function answer(query: MetricQuery, repository = metrics): Promise<unknown[]> {
  const rows = await repository.queryMetric(query, new AbortController().signal)
  return (await rows?.toArray())?.map(([json]) => JSON.parse(json)) ?? []
}

/** By a connection that sees empty rollups, and all of them pending. */
async function answersOfPoints(questions: readonly MetricQuery[]): Promise<unknown[][]> {
  return Promise.all(questions.map((question) => answer(question, ofPoints)))
}

/** But for the rounding of what is added up in another order. */
function expectSame(actual: unknown, expected: unknown): void {
  const rounded = (value: unknown) =>
    JSON.parse(JSON.stringify(value), (_, part) =>
      typeof part === 'number' ? Number(part.toPrecision(11)) + 0 : part,
    )
  const near = (value: unknown) =>
    JSON.parse(JSON.stringify(value), (_, part) =>
      typeof part === 'number' && Math.abs(part) < 1e-9 ? 0 : part,
    )
  expect(rounded(near(actual))).toEqual(rounded(near(expected)))
}

const stepOf = (kinds: readonly Kind[]) =>
  fc.oneof(
    fc.record({ kind: fc.constant('write' as const), records: pointsOf(kinds) }),
    fc.record({ kind: fc.constant('again' as const) }),
    fc.record({
      kind: fc.constant('roll up' as const),
      before: fc.integer({ min: START_MINUTE, max: END_MINUTE + 60 }),
    }),
    fc.record({ kind: fc.constant('ask' as const), questions: questionsOf(kinds) }),
  )

test('answers from rollups are those from points, whatever comes late or again and whenever they are made', async () => {
  for (const kinds of GROUPS) await tell(kinds)
})

async function tell(kinds: readonly Kind[]): Promise<void> {
  const story = fc.record({
    first: pointsOf(kinds),
    steps: fc.array(stepOf(kinds), { maxLength: 6 }),
    questions: questionsOf(kinds),
  })
  await fc.assert(
    fc.asyncProperty(story, async ({ first, steps, questions }) => {
      const ask = async (asked: readonly MetricQuery[]) => {
        expectSame(await Promise.all(asked.map((question) => answer(question))), await answersOfPoints(asked))
      }
      let last: readonly object[] = first
      await write(first)
      await rollUp(END_MINUTE + 60)
      for (const step of steps) {
        if (step.kind === 'ask') await ask(step.questions)
        else if (step.kind === 'roll up') await rollUp(step.before)
        else {
          last = step.kind === 'write' ? step.records : last
          await write(last)
        }
      }
      await ask(questions)
    }),
    { numRuns: 4 },
  )
}

test('rollups alone answer by the hour, the day and in all', async () => {
  await write(fc.sample(pointsOf(KINDS), { numRuns: 8, seed: 1 }).flat())
  await rollUp(END_MINUTE + 60)
  const questions = KINDS.flatMap(({ metric: { name }, aggregates }) =>
    [undefined, HOUR, DAY].flatMap((step) =>
      [{}, { to: START + 48n * HOUR }].map((conditions) => ({
        name,
        conditions,
        aggregates: aggregates.filter(
          (word) => word !== 'rate' || ('to' in conditions && step !== undefined),
        ),
        by: ['zone'],
        step,
        limit: null,
      })),
    ),
  )
  const expected = await answersOfPoints(questions)
  expect(Math.min(...expected.map((rows) => rows.length))).toBeGreaterThan(0)
  await pool.query('truncate metric_points')
  for (const [index, question] of questions.entries()) expectSame(await answer(question), expected[index])
})

const isByHour = ({ step }: MetricQuery) => step === undefined || step % HOUR === 0n
const aligned = ({ conditions: { from, to, ...conditions }, ...question }: MetricQuery): MetricQuery => ({
  ...question,
  conditions: {
    ...conditions,
    ...(from !== undefined && { from: (from / HOUR) * HOUR }),
    ...(to !== undefined && { to: (to / HOUR) * HOUR }),
  },
})

test('points that are taken away stay in answers by rollups, and are points again when they come back', async () => {
  for (const kinds of GROUPS) await takeAway(kinds)
})

let removalId = 0
async function takeAway(kinds: readonly Kind[]): Promise<void> {
  const story = fc.record({
    records: pointsOf(kinds),
    rolledUpBefore: fc.option(fc.integer({ min: START_MINUTE, max: END_MINUTE + 60 })),
    of: fc.constantFrom(['bot'], ['shop'], ['bot', 'shop']),
    before: TIME,
    half: TIME,
    questions: questionsOf(kinds).map((questions) => questions.filter(isByHour).map(aligned)),
  })
  await fc.assert(
    fc.asyncProperty(story, async ({ records, rolledUpBefore, of, before, half, questions }) => {
      await pool.query('truncate metric_points, metric_rollup_hours, metric_rollup_days, changed_minutes')
      await write(records)
      if (rolledUpBefore !== null) await rollUp(rolledUpBefore)
      const answers = await Promise.all(questions.map((question) => answer(question)))
      const expectAll = async () =>
        expectSame(await Promise.all(questions.map((question) => answer(question))), answers)
      removalId += 1
      const where = `series_id in (select series_id from metric_series where service = any ('{${of}}')) and time_unix_nano < ${before}`
      await remove({ removalId, where, half })
      await expectAll()
      await rollUp(END_MINUTE + 60)
      await expectAll()
      await restore()
      await expectAll()
      const { rows } = await pool.query('select from metric_rollup_hours where removal_id <> 0')
      expect(rows).toHaveLength(0)
      await rollUp(END_MINUTE + 60)
      await expectAll()
    }),
    { numRuns: 4 },
  )
}

/** A counter and a histogram that have counted so much, minutes after the beginning. */
function at(minute: number, count: number): readonly object[] {
  const time = { timeUnixNano: String(START + BigInt(minute) * MINUTE), service: 'bot' }
  const buckets = { explicitBounds: [1], bucketCounts: [count, 0] }
  return [
    { ...time, name: 'requests', type: 'counter', value: count },
    { ...time, name: 'duration', type: 'histogram', count, sum: count, ...buckets },
  ]
}

const increases = (conditions: MetricQuery['conditions'], step: bigint | undefined) =>
  Promise.all(
    ['requests', 'duration'].map((name) =>
      answer({ name, conditions, aggregates: ['increase', 'count'], by: [], step, limit: null }),
    ),
  )

test('what comes late for a time whose points were taken away is counted, and adds no increase', async () => {
  const timeUnixNano = String(START)
  await write([at(10, 100), at(50, 140)].flat())
  await remove({ removalId: 1, where: 'true', half: START })
  await write([at(30, 120), at(70, 155)].flat())
  const expected = [
    [{ timeUnixNano, labels: {}, increase: 55, count: 4 }],
    [{ timeUnixNano, labels: {}, increase: 55, count: 55 }],
  ]
  expect(await increases({}, DAY)).toEqual(expected)
  await rollUp(END_MINUTE + 60)
  expect(await increases({}, DAY)).toEqual(expected)
})

test('an increase counts from what was taken away just before its time range, but not from what is older', async () => {
  await write([at(55, 100), at(65, 130), at(100, 150), at(125, 170)].flat())
  const before = START + 3n * HOUR
  const expectIncreases = async () => {
    const [counter, histogram] = await increases({ from: START + HOUR, to: before }, undefined)
    expect([counter, histogram]).toMatchObject([[{ increase: 70 }], [{ increase: 70 }]])
    // The last before it is 20 minutes older.
    const [rest] = await increases({ from: START + 2n * HOUR, to: before }, undefined)
    expect(rest).toMatchObject([{ increase: null, count: 1 }])
  }
  await expectIncreases()
  await remove({ removalId: 1, where: `time_unix_nano < ${before}`, half: START })
  await expectIncreases()
  await rollUp(END_MINUTE + 60)
  await expectIncreases()
})

test('an hour that is not over stays pending, however many changes there are of it, and is answered by points', async () => {
  await write([at(5, 100), at(15, 130)].flat())
  await pool.query(`insert into changed_minutes (signal, minutes, pending)
    select 'metrics', r, r from generate_series(1, 1001), int4multirange(int4range(${START_MINUTE + 20}, ${START_MINUTE + 21})) r`)
  await rollUp(START_MINUTE + 59)
  const { rows } = await pool.query(`select pending::text from changed_minutes where pending is not null`)
  const minutes = [5, 15, 20].map((minute) => `[${START_MINUTE + minute},${START_MINUTE + minute + 1})`)
  expect(rows).toEqual([{ pending: `{${minutes.join(',')}}` }])
  expect((await pool.query('select from metric_rollup_hours')).rowCount).toBe(0)
  expect(await increases({}, DAY)).toMatchObject([[{ increase: 30, count: 2 }], [{ increase: 30 }]])
  await rollUp(START_MINUTE + 60)
  expect((await pool.query('select from metric_rollup_hours')).rowCount).toBe(2)
  expect(await increases({}, DAY)).toMatchObject([[{ increase: 30, count: 2 }], [{ increase: 30 }]])
})

/** As retention does, in two parts; what went is kept as an archive would. */
async function remove({
  removalId,
  where,
  half,
}: {
  removalId: number
  where: string
  half: bigint
}): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('drop table if exists archived; create table archived (like metric_points)')
    for (const part of [`time_unix_nano < ${half}`, 'true']) {
      await client.query('begin')
      await client.query(
        `create temporary table removed on commit drop as select * from metric_points where ${where} and ${part}`,
      )
      await keepMetricRollups(client, { removalId: String(removalId), relation: 'removed' })
      await client.query('insert into archived select * from removed')
      await client.query(`delete from metric_points where ${where} and ${part}`)
      await client.query('commit')
    }
  } finally {
    client.release()
  }
}

async function restore(): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('insert into metric_points select * from archived')
    await returnMetricRollups(client, 'archived')
    await client.query('commit')
  } finally {
    client.release()
  }
}
