import fc from 'fast-check'
import { stringify as stringifyLossless } from 'lossless-json'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecordBySignal } from '../../src/models/decode-record.ts'
import { parseJson } from '../../src/models/json.ts'
import { FACTS_OF } from '../../src/models/record-facts.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { WIRE_JSON } from '../../src/models/wire/wire-json.ts'
import { filterWordsOf } from '../../src/repositories/filter-words.ts'
import { LOG_RECORD_COLUMNS } from '../../src/repositories/log-record-repository.ts'
import { matcherOf } from '../../src/repositories/match-record.ts'
import { POINT_COLUMNS } from '../../src/repositories/metric-repository.ts'
import { readFilter } from '../../src/repositories/read-filter.ts'
import { SPAN_COLUMNS } from '../../src/repositories/trace-repository.ts'
import { arbitraryDataPoint, arbitraryLogRecord, arbitrarySpan } from '../helpers/arbitrary-records.ts'
import { canonical } from '../helpers/canonical.ts'
import { decodeJson } from '../helpers/decode-json.ts'
import { eventually } from '../helpers/eventually.ts'
import { ODD_LOGS, ODD_POINTS, ODD_QUESTIONS, ODD_SPANS } from '../helpers/odd-records.ts'
import { conditionsTogether } from '../helpers/reference/conditions.ts'
import { METRICS, randomRecords } from '../helpers/reference/random-records.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * What the tail shows of a record before it is stored is what the API answers when it has been: of the same filter the same records, in the same JSON. For other records
 * than usual: TAIL_SEED=<any number>, which a failure prints.
 */

const SEED = Number(process.env.TAIL_SEED ?? 20_261_128)
const RANDOM_RECORDS = 150
const RUNS = 80

const random = randomRecords(SEED, Date.now())
const sent: Readonly<Record<TelemetrySignal, readonly object[]>> = {
  traces: [...random.spans.map(({ json }) => json), ...sample(arbitrarySpan()), ...ODD_SPANS],
  logs: [...random.logs.map(({ json }) => json), ...sample(arbitraryLogRecord()), ...ODD_LOGS],
  metrics: [
    ...random.points.map(({ json }) => json),
    ...sample(fc.oneof(...METRICS.map(({ name }) => arbitraryDataPoint(name)))),
    ...ODD_POINTS,
  ],
}
let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const added = TELEMETRY_SIGNALS.flatMap((signal) =>
    sent[signal].map((record) => app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', jsonOf(record))),
  )
  await Promise.all(added)
  await eventually(async () => {
    const counts = await app.query(
      `select (select count(*)::int from spans) as traces, (select count(*)::int from log_records) as logs,
         (select count(*)::int from metric_points) as metrics, (select count(*)::int from dead_letters) as letters`,
    )
    const { traces, logs, metrics } = sent
    expect(counts).toEqual([
      { traces: traces.length, logs: logs.length, metrics: metrics.length, letters: 0 },
    ])
  })
})
afterAll(() => app?.close())

function sample(arbitrary: fc.Arbitrary<object>): readonly object[] {
  return fc
    .sample(arbitrary, { seed: SEED, numRuns: RANDOM_RECORDS })
    .map((record) => ({ ...record, service: 'any text' }))
}

function jsonOf(record: object): string {
  return stringifyLossless(record) ?? ''
}

function decoded<S extends TelemetrySignal>(signal: S): readonly RecordBySignal[S][] {
  return sent[signal].flatMap((record) => decodeJson(signal, jsonOf(record)))
}

type Query = Readonly<Record<string, string>>

async function answered(path: string, query: Query): Promise<readonly string[]> {
  const answer = await app.get(`/api/v1/${path}?${new URLSearchParams({ ...query, format: 'ndjson' })}`)
  const text = await answer.text()
  if (answer.status !== 200) expect.fail(`${answer.url}: ${text}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => canonical(parseJson(line).value))
    .sort()
}

/** What is said of the records of a signal without PostgreSQL. */
function matcher<S extends TelemetrySignal>(signal: S): (query: Query) => readonly string[] {
  const toldOf = decoded(signal).map((record) => ({
    facts: FACTS_OF[signal](record),
    json: canonical(parseJson(WIRE_JSON[signal](record)).value),
  }))
  return (query) => {
    const matches = matcherOf(signal, readFilter(query, Date.now()))
    return toldOf
      .filter(({ facts }) => matches(facts))
      .map(({ json }) => json)
      .sort()
  }
}

const { name: _, ...pointTexts } = POINT_COLUMNS.texts
const SIGNALS = [
  { signal: 'traces', paths: ['spans'], columns: SPAN_COLUMNS },
  { signal: 'logs', paths: ['logs'], columns: LOG_RECORD_COLUMNS },
  {
    signal: 'metrics',
    paths: METRICS.map(({ name }) => `metrics/${name}/points`),
    // The name is part of the path.
    columns: { ...POINT_COLUMNS, texts: pointTexts },
  },
] as const

describe.each(SIGNALS)('$signal', ({ signal, paths, columns }) => {
  const matched = matcher(signal)
  const nameOf = (path: string): Query => (signal === 'metrics' ? { name: path.split('/')[1] ?? '' } : {})

  test('are written as they are read back', async () => {
    for (const path of paths) {
      const expected = matched(nameOf(path))
      expect(expected.length).toBeGreaterThan(10)
      expect(await answered(path, {})).toEqual(expected)
    }
  })

  const words = [...filterWordsOf(columns), 'attr'] as const
  test.each([
    { asked: 'random filters', conditions: conditionsTogether(words, random, { most: 3 }) },
    ...(columns.body === undefined
      ? []
      : [{ asked: 'random searches', conditions: conditionsTogether(['q'], random) }]),
  ])('are found by $asked as PostgreSQL finds them', async ({ conditions: arbitrary }) => {
    let answers = 0
    const property = async (path: string, conditions: readonly { parameter: string; text: string }[]) => {
      const query = Object.fromEntries(conditions.map(({ parameter, text }) => [parameter, text]))
      // Words are the same only where they are ordinary ones.
      const isCompared = (json: string) => query.q === undefined || !json.includes('"service":"any text"')
      const expected = (await answered(path, query)).filter(isCompared)
      const found = matched({ ...query, ...nameOf(path) }).filter(isCompared)
      expect(found, JSON.stringify(query)).toEqual(expected)
      if (expected.length > 0) answers += 1
    }
    await fc.assert(fc.asyncProperty(fc.constantFrom(...paths), arbitrary, property), {
      seed: SEED,
      numRuns: RUNS,
    })
    expect(answers, 'questions that find something').toBeGreaterThan(RUNS / 10)
  })

  test.each(
    ODD_QUESTIONS[signal].map(({ query, count }) => ({
      query,
      count,
      asked: JSON.stringify(query).slice(0, 80),
    })),
  )('are found by $asked as PostgreSQL finds them', async ({ query, count }) => {
    // All of them are of one metric.
    const [path] = paths
    const found = matched({ ...query, ...nameOf(path) })
    expect(found).toEqual(await answered(path, query))
    expect(found).toHaveLength(count)
  })
})
