import { once } from 'node:events'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import type { RecordFilter } from '../../src/repositories/filter.ts'
import type { GroupedSource, Grouping } from '../../src/repositories/grouped-query.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import { keepRollups } from '../../src/retention/rollups/keep-rollups.ts'
import { SPAN_ROLLUP } from '../../src/retention/rollups/rollup.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { TraceWriter } from '../../src/writers/trace-writer.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const MINUTE = 60_000_000_000n
const HOURS = 3
/** The beginning of an hour, yesterday. */
const START_MINUTE = Math.floor(Date.now() / 3_600_000) * 60 - 24 * 60
const START = BigInt(START_MINUTE) * MINUTE
const END_MINUTE = START_MINUTE + HOURS * 60

let database: TestDatabase
let pool: pg.Pool
let statistics: StatisticsRepository

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'rollups test',
    max: 3,
    onError: () => undefined,
  })
  statistics = new StatisticsRepository(pool)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const TIME = fc.record({
  minute: fc.nat(HOURS * 60 - 1),
  nanos: fc.oneof(fc.constant(0n), fc.constant(MINUTE - 1n), fc.bigInt({ min: 0n, max: MINUTE - 1n })),
})
const timeOf = ({ minute, nanos }: { minute: number; nanos: bigint }) =>
  String(START + BigInt(minute) * MINUTE + nanos)

const SPAN = fc
  .record({
    time: TIME,
    service: fc.constantFrom('bot', 'shop'),
    name: fc.constantFrom('chat', 'search'),
    environment: fc.constantFrom(undefined, 'prod', 'dev'),
    kind: fc.constantFrom('client', 'server'),
    status: fc.constantFrom('ok', 'error', 'unset'),
    durationNs: fc.option(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2e10 })), { nil: undefined }),
    model: fc.constantFrom(undefined, 'gpt-4o', 'claude'),
    prompt: fc.constantFrom(undefined, 'greet'),
    input: fc.option(fc.nat(5000), { nil: undefined }),
    cost: fc.option(fc.nat(1_000_000), { nil: undefined }),
    firstToken: fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }),
  })
  .map(({ time, durationNs, environment, model, prompt, input, cost, firstToken, ...span }) => ({
    ...span,
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    startTimeUnixNano: timeOf(time),
    ...(durationNs !== undefined && { endTimeUnixNano: String(BigInt(timeOf(time)) + BigInt(durationNs)) }),
    ...(environment !== undefined && { resource: { 'deployment.environment.name': environment } }),
    attributes: {
      ...(model !== undefined && { 'gen_ai.request.model': model, 'gen_ai.provider.name': 'some' }),
      ...(prompt !== undefined && { 'gen_ai.prompt.name': prompt }),
      ...(input !== undefined && { 'gen_ai.usage.input_tokens': input }),
      ...(cost !== undefined && { 'gen_ai.usage.cost': cost / 1e6 }),
      ...(firstToken !== undefined && { 'gen_ai.response.time_to_first_chunk': firstToken / 1000 }),
    },
  }))

const LOG = fc
  .record({
    time: TIME,
    service: fc.constantFrom('bot', 'shop'),
    level: fc.constantFrom('debug', 'info', 'error'),
    eventName: fc.constantFrom(undefined, 'started'),
  })
  .map(({ time, eventName, ...log }) => ({
    ...log,
    message: 'line',
    timeUnixNano: timeOf(time),
    ...(eventName !== undefined && { eventName }),
  }))

const SOURCES = { spans: SPAN_STATISTICS, usage: LLM_USAGE, levels: LOG_LEVELS }

const QUESTION = fc
  .record({
    source: fc.constantFrom<keyof typeof SOURCES>('spans', 'usage', 'levels'),
    by: fc.array(fc.nat(20), { maxLength: 3 }),
    step: fc.constantFrom(undefined, MINUTE, 7n * MINUTE, 60n * MINUTE),
    from: fc.option(TIME, { nil: undefined }),
    to: fc.option(TIME, { nil: undefined }),
    service: fc.constantFrom(undefined, undefined, 'bot'),
    status: fc.constantFrom(undefined, undefined, 2 as const),
    minSeverityNumber: fc.constantFrom(undefined, undefined, 9),
  })
  .map(({ source, by, step, from, to, service, status, minSeverityNumber }) => {
    const words = Object.keys(SOURCES[source].rolled?.groups ?? {})
    const filter: RecordFilter = {
      limit: null,
      ...(from !== undefined && { from: BigInt(timeOf(from)) }),
      ...(to !== undefined && { to: BigInt(timeOf(to)) }),
      ...(service !== undefined && { service }),
      ...(status !== undefined && source !== 'levels' && { status }),
      ...(minSeverityNumber !== undefined && source === 'levels' && { minSeverityNumber }),
    }
    return {
      source,
      grouping: { by: [...new Set(by.map((n) => words[n % words.length] ?? ''))], step },
      filter,
    }
  })

const STEP = fc.oneof(
  fc.record({
    kind: fc.constant('spans' as const),
    records: fc.array(SPAN, { minLength: 1, maxLength: 40 }),
  }),
  fc.record({ kind: fc.constant('logs' as const), records: fc.array(LOG, { minLength: 1, maxLength: 40 }) }),
  fc.record({
    kind: fc.constant('roll up' as const),
    before: fc.integer({ min: START_MINUTE, max: END_MINUTE + 1 }),
  }),
  fc.record({ kind: fc.constant('ask' as const), question: QUESTION }),
)

async function write(kind: 'spans' | 'logs', records: readonly object[]): Promise<void> {
  const writer = kind === 'spans' ? new TraceWriter({ pool }) : new LogWriter({ pool })
  writer.end(records)
  await once(writer, 'finish')
}

const rollUp = (before: number) => rollUpAll(pool, before)

async function answer(source: GroupedSource, filter: RecordFilter, grouping: Grouping): Promise<unknown[]> {
  const rows = await statistics.streamGroups(source, filter, {
    ...grouping,
    signal: new AbortController().signal,
  })
  return (await rows.toArray()).map(([json]) => JSON.parse(json))
}

interface Question {
  readonly source: keyof typeof SOURCES
  readonly filter: RecordFilter
  readonly grouping: Grouping
}

async function expectEqual({ source, filter, grouping }: Question): Promise<void> {
  const { rolled: _, ...ofRows } = SOURCES[source]
  const expected = await answer(ofRows, filter, grouping)
  expect(await answer(SOURCES[source], filter, grouping)).toEqual(expected)
}

test('answers from rollups are those from rows, whatever comes late and whenever they are made', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 12 }), QUESTION, async (steps, question) => {
      for (const step of steps) {
        if (step.kind === 'ask') await expectEqual(step.question)
        else if (step.kind === 'roll up') await rollUp(step.before)
        else await write(step.kind, step.records)
      }
      await expectEqual(question)
    }),
    { numRuns: 25 },
  )
})

describe('rows that are taken away', () => {
  const ALIGNED = QUESTION.map(({ filter: { from, to, ...filter }, ...question }) => ({
    ...question,
    filter: {
      ...filter,
      ...(from !== undefined && { from: (from / MINUTE) * MINUTE }),
      ...(to !== undefined && { to: (to / MINUTE) * MINUTE }),
    },
  }))

  test('stay in answers by rollups, and what comes late for their time is added', async () => {
    const removal = fc.record({ of: fc.constantFrom('bot', 'shop'), before: fc.nat(HOURS * 60) })
    let removalId = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(SPAN, { minLength: 1, maxLength: 40 }),
        fc.option(fc.integer({ min: START_MINUTE, max: END_MINUTE + 1 })),
        removal,
        fc.array(ALIGNED, { minLength: 1, maxLength: 4 }),
        async (records, rolledUpBefore, { of, before }, questions) => {
          await write('spans', records)
          if (rolledUpBefore !== null) await rollUp(rolledUpBefore)
          const asked = questions.filter(({ source }) => source !== 'levels')
          const ask = () =>
            Promise.all(
              asked.map(({ source, filter, grouping }) => answer(SOURCES[source], filter, grouping)),
            )
          const answers = await ask()
          removalId += 1
          await remove({
            removalId,
            where: `service = '${of}' and start_time < to_timestamp(${(START_MINUTE + before) * 60})`,
          })
          expect(await ask()).toEqual(answers)
          await rollUp(END_MINUTE + 1)
          expect(await ask()).toEqual(answers)
        },
      ),
      { numRuns: 12 },
    )
    const [before] = await answer(SPAN_STATISTICS, { limit: null }, { by: [], step: undefined })
    await write('spans', fc.sample(SPAN, 30))
    const [after] = await answer(SPAN_STATISTICS, { limit: null }, { by: [], step: undefined })
    expect(Number((after as { count: number }).count)).toBe((before as { count: number }).count + 30)
  })
})

/** As retention does, in two parts. */
async function remove({ removalId, where }: { removalId: number; where: string }): Promise<void> {
  const client = await pool.connect()
  try {
    for (const half of ['record_index % 2 = 0', 'true']) {
      await client.query('begin')
      await client.query(
        `create temporary table removed on commit drop as select * from spans where ${where} and ${half}`,
      )
      await keepRollups(client, SPAN_ROLLUP, { removalId: String(removalId), relation: 'removed' })
      await client.query(`delete from spans where ${where} and ${half}`)
      await client.query('commit')
    }
  } finally {
    client.release()
  }
}
