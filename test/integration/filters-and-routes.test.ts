import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVALUATION_COLUMNS, EVALUATION_GROUPS } from '../../src/repositories/evaluation-repository.ts'
import type { FilterColumns } from '../../src/repositories/filter.ts'
import { FILTER_WORDS, type FilterWord, filterWordsOf } from '../../src/repositories/filter-words.ts'
import { LOG_RECORD_COLUMNS } from '../../src/repositories/log-record-repository.ts'
import { POINT_COLUMNS } from '../../src/repositories/metric-repository.ts'
import { SESSION_COLUMNS } from '../../src/repositories/session-repository.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
} from '../../src/repositories/statistics-repository.ts'
import { SPAN_COLUMNS } from '../../src/repositories/trace-repository.ts'
import { eventually } from '../helpers/eventually.ts'
import {
  AGGREGATES,
  dependenciesOf,
  evaluationJson,
  evaluationMeasures,
  grouped,
  isCall,
  kindOf,
  latestOf,
  levelOf,
  operationBy,
  operationMeasures,
  pointMeasures,
  type Row,
  seriesOf,
  servicesOf,
  sessionsOf,
  spanMeasures,
  statusOf,
  tracesOf,
  usageMeasures,
} from '../helpers/reference/answers.ts'
import {
  type Asked,
  type Condition,
  conditionsBy,
  conditionsTogether,
  matching,
} from '../helpers/reference/conditions.ts'
import { byTime, type Facts, type Sent } from '../helpers/reference/facts.ts'
import {
  METRICS,
  type ModelledEvaluation,
  type ModelledPoint,
  type ModelledSpan,
  randomRecords,
} from '../helpers/reference/random-records.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * Every filter crossed with every route: what the service answers is what plain loops over the records that were sent find. For other records and questions than usual:
 * FILTERS_SEED=<any number>, which a failure prints.
 */

const SEED = Number(process.env.FILTERS_SEED ?? 20_261_127)
/** Questions by one word: there is most to ask of a text, and of times to the nanosecond. */
const RUNS_ALONE = 2
const RUNS_OF: Readonly<Partial<Record<Asked, number>>> = { q: 15, from: 6, to: 6 }
const RUNS_TOGETHER = 15
const RECORDS_PER_ENTRY = 37

const records = randomRecords(SEED, Date.now())
const { spans, logs, points, evaluations } = records
let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const sent = { traces: spans, logs, metrics: points }
  for (const [signal, of] of Object.entries(sent))
    for (let from = 0; from < of.length; from += RECORDS_PER_ENTRY) {
      const entry = of.slice(from, from + RECORDS_PER_ENTRY).map(({ json }) => json)
      await app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', JSON.stringify(entry))
    }
  await eventually(async () => {
    const [counts] = await app.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
         (select count(*)::int from metric_points) as points, (select count(*)::int from evaluations) as evaluations,
         (select count(*)::int from dead_letters) as letters`,
    )
    const expected = { spans: spans.length, logs: logs.length, points: points.length }
    expect(counts).toEqual({ ...expected, evaluations: evaluations.length, letters: 0 })
  })
})
afterAll(() => app?.close())

type Query = Readonly<Record<string, string | undefined>>

async function ask(path: string, query: Query): Promise<Response> {
  const words = Object.entries(query).flatMap(([word, text]) => (text === undefined ? [] : [[word, text]]))
  const answer = await app.get(`/api/v1/${path}?${new URLSearchParams(words as [string, string][])}`)
  if (answer.status !== 200) expect.fail(`${answer.url}: ${await answer.text()}`)
  return answer
}

interface Page {
  readonly data: readonly Row[]
  readonly nextCursor: string | null
}

/** All pages, one after the other. */
async function pages(path: string, query: Query): Promise<Row[]> {
  const all: Row[] = []
  for (let cursor: string | undefined; ; ) {
    const page = (await (await ask(path, { ...query, cursor })).json()) as Page
    all.push(...page.data)
    if (page.nextCursor === null) return all
    expect(page.data, 'rows of a page with a cursor').not.toEqual([])
    cursor = page.nextCursor
  }
}

async function lines(path: string, query: Query): Promise<Row[]> {
  const text = await (await ask(path, { ...query, format: 'ndjson' })).text()
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Row]))
}

/** A list that has no pages, whole. */
async function list(path: string, query: Query, form: 'json' | 'ndjson'): Promise<Row[]> {
  if (form === 'ndjson') return lines(path, query)
  const { data, ...rest } = (await (await ask(path, query)).json()) as Page
  expect(rest).toEqual({ nextCursor: null })
  return [...data]
}

/** The parameters of conditions. */
function queryOf(conditions: readonly Condition[]): Query {
  return Object.fromEntries(conditions.map(({ parameter, text }) => [parameter, text]))
}

/** JSON with sorted keys, and with as many digits of fractions as sums in any order agree in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member) => {
    if (typeof member === 'number' && !Number.isInteger(member)) return Number(member.toPrecision(9))
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

const inAnyOrder = (rows: readonly unknown[]) => rows.map(canonical).sort()

/** The numbers do not rise, within what `of` says is one. */
function expectFalling(
  rows: readonly Row[],
  numbers: readonly string[],
  of = (_: Row): unknown => undefined,
) {
  rows.slice(1).forEach((row, index) => {
    const before = rows[index] ?? {}
    if (of(before) !== of(row)) return
    const differs = numbers.find((name) => Math.abs(Number(before[name]) - Number(row[name])) > 1e-9)
    if (differs !== undefined) expect(Number(before[differs])).toBeGreaterThan(Number(row[differs]))
  })
}

interface Route {
  readonly path: string
  readonly words: readonly FilterWord[]
  readonly asked: readonly Asked[]
  /** Asks questions by these conditions, and compares the answers. */
  readonly property: (conditions: fc.Arbitrary<readonly Condition[]>, numRuns: number) => Promise<void>
}

/**
 * @param options of the route beside filters.
 * @param check throws where the answers are not what they should be.
 */
function route<O>(
  path: string,
  columns: FilterColumns,
  options: fc.Arbitrary<O>,
  check: (conditions: readonly Condition[], options: O) => Promise<void>,
  { timesAsMany = 1 }: { readonly timesAsMany?: number } = {},
): Route {
  const words = filterWordsOf(columns)
  return {
    path,
    words,
    asked: columns.attributes === undefined ? words : [...words, 'attr'],
    property: (conditions, numRuns) =>
      fc.assert(fc.asyncProperty(conditions, options, check), { seed: SEED, numRuns: numRuns * timesAsMany }),
  }
}

const form = fc.constantFrom('json' as const, 'ndjson' as const)
const step = fc.constantFrom(undefined, undefined, '1m', '1h', '7h')
const STEPS: Readonly<Record<string, bigint>> = {
  '1m': 60_000_000_000n,
  '1h': 3_600_000_000_000n,
  '7h': 7n * 3_600_000_000_000n,
}
const stepNanos = (written: string | undefined) => (written === undefined ? undefined : STEPS[written])

/** How a kind of record is known in an answer, and what CSV says of it. */
interface RecordKind<T> {
  readonly idOf: (json: Row) => unknown
  readonly csvIdOf: (row: Readonly<Record<string, string>>) => unknown
  readonly csv: (record: T) => Readonly<Record<string, string>>
}

function recordRoute<T extends Facts & Sent>(
  path: string,
  columns: FilterColumns,
  { of, idOf, csvIdOf, csv }: RecordKind<T> & { readonly of: readonly T[] },
): Route {
  const options = fc.record({
    parts: fc.integer({ min: 1, max: 4 }),
    order: fc.constantFrom(undefined, 'asc' as const, 'desc' as const),
    share: fc.double({ min: 0, max: 1.2, noNaN: true }),
  })
  return route(path, columns, options, async (conditions, { parts, order, share }) => {
    const query = queryOf(conditions)
    const oldestFirst = matching(of, conditions).sort(byTime)
    const newestFirst = [...oldestFirst].reverse()
    const ids = (rows: readonly { readonly json: Row }[]) => rows.map(({ json }) => idOf(json))
    const limit = String(Math.max(1, Math.ceil(oldestFirst.length / parts)))

    const paged = await pages(path, { ...query, order, limit })
    const ordered = order === 'asc' ? oldestFirst : newestFirst
    expect(paged.map(idOf), `pages of ${limit}, order ${order}`).toEqual(ids(ordered))
    expect(paged.map(canonical)).toEqual(ordered.map(({ json }) => canonical(json)))

    const unordered = await lines(path, query)
    expect(inAnyOrder(unordered), 'NDJSON').toEqual(inAnyOrder(oldestFirst.map(({ json }) => json)))
    for (const [direction, expected] of Object.entries({ asc: oldestFirst, desc: newestFirst })) {
      const sorted = await lines(path, { ...query, order: direction })
      expect(sorted.map(idOf), `NDJSON, order ${direction}`).toEqual(ids(expected))
    }
    const most = Math.max(1, Math.floor(share * oldestFirst.length))
    const some = (await lines(path, { ...query, limit: String(most) })).map(idOf)
    expect(new Set(some).size, `NDJSON, limit ${most}`).toBe(Math.min(most, oldestFirst.length))
    expect(ids(oldestFirst)).toEqual(expect.arrayContaining(some))

    const text = await (await ask(path, { ...query, order, format: 'csv' })).text()
    const rows = parse(text, { columns: true }) as Record<string, string>[]
    const known = new Map(oldestFirst.map((record) => [idOf(record.json), record]))
    expect(inAnyOrder(rows.map(csvIdOf)), 'CSV').toEqual(inAnyOrder(ids(oldestFirst)))
    if (order !== undefined) expect(rows.map(csvIdOf), `CSV, order ${order}`).toEqual(ids(ordered))
    for (const row of rows) {
      const record = known.get(csvIdOf(row))
      expect(row).toMatchObject(record === undefined ? {} : csv(record))
    }
  })
}

/** After all records, in unix nanoseconds. */
const SOON = BigInt(Date.now() + 7_200_000) * 1_000_000n

/** How many by the second of a time range, or of what of it is in a step. */
function rateOf(
  count: number,
  range: Readonly<Record<'from' | 'to' | 'time' | 'step', bigint | undefined>>,
): number | null {
  const { from, to = SOON, time, step = 0n } = range
  if (time === undefined && from === undefined) return null
  const start = time === undefined || (from !== undefined && from > time) ? (from ?? 0n) : time
  const end = time === undefined || to < time + step ? to : time + step
  return end > start ? count / (Number(end - start) / 1e9) : null
}

/** A route of groups and what is measured of them. */
function groupsRoute<T extends Facts>(
  path: string,
  columns: FilterColumns,
  {
    of,
    by: known,
    measures,
    falling,
    hasRate = false,
  }: {
    readonly of: readonly T[]
    readonly by: Readonly<Record<string, (record: T) => unknown>>
    readonly measures: (members: readonly T[]) => Row
    /** Whether it is told how many there are by the second. */
    readonly hasRate?: boolean
    /** Numbers by which groups of one time are sorted. */
    readonly falling: readonly string[]
  },
): Route {
  const by = fc.subarray(Object.keys(known), { maxLength: 3 })
  return route(path, columns, fc.record({ by, step, form }), async (conditions, options) => {
    // A rate without an end is of the time until now.
    const { from, to = hasRate ? SOON : undefined } = {
      from: nanosOf(conditions, 'from'),
      to: nanosOf(conditions, 'to'),
    }
    const by = options.by.join(',')
    const query = {
      ...queryOf(conditions),
      ...(to !== undefined && { to: String(to) }),
      by,
      step: options.step,
    }
    const rows = await list(path, query, options.form)
    const expected = grouped(matching(of, conditions), {
      by: Object.fromEntries(options.by.map((word) => [word, known[word] ?? (() => undefined)])),
      step: stepNanos(options.step),
      measures: (members, time) => ({
        ...measures(members),
        ...(hasRate && { rate: rateOf(members.length, { from, to, time, step: stepNanos(options.step) }) }),
      }),
    })
    expect(inAnyOrder(rows)).toEqual(inAnyOrder(expected))
    const times = rows.map(({ timeUnixNano }) => BigInt(String(timeUnixNano ?? 0)))
    times.slice(1).forEach((time, index) => {
      expect(time >= (times[index] ?? 0n), 'the oldest first').toBe(true)
    })
    expectFalling(rows, falling, ({ timeUnixNano }) => timeUnixNano)
  })
}

/** What groups are by: every word of the route must be known here. */
function groupsBy<T>(
  words: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, (record: T) => unknown>>,
): Readonly<Record<string, (record: T) => unknown>> {
  expect(Object.keys(known).sort(), 'words of by').toEqual(Object.keys(words).sort())
  return known
}

const textOf = (value: unknown) => (value === undefined || value === null ? '' : String(value))
const { name: _, ...pointTexts } = POINT_COLUMNS.texts
const OF_ONE_METRIC: FilterColumns = { ...POINT_COLUMNS, texts: pointTexts }
const { session: __, ...sessionTexts } = SESSION_COLUMNS.texts
const OF_A_RANGE: FilterColumns = { time: 'time', timeUnixNano: 'time', texts: { service: 'service' } }

const ofMetric = (name: string) => points.filter((point) => point.name === name)
const nanosOf = (conditions: readonly Condition[], word: 'from' | 'to') =>
  conditions.find(({ parameter }) => parameter === word)?.nanos
const ofTime = (conditions: readonly Condition[], isOfTime: boolean) =>
  conditions.filter(({ parameter }) => ['from', 'to'].includes(parameter) === isOfTime)

const spanRoutes: readonly Route[] = [
  recordRoute<ModelledSpan>('spans', SPAN_COLUMNS, {
    of: spans,
    idOf: ({ spanId }) => spanId,
    csvIdOf: ({ spanId }) => spanId,
    csv: ({ at, name, traceId, service, environment, operation, model, cost, durationNs, user }) => ({
      ...{ startTimeUnixNano: String(at), name, traceId, service, environment: textOf(environment) },
      ...{ operation: textOf(operation), model: textOf(model), cost: textOf(cost), userId: textOf(user) },
      durationNs: textOf(durationNs),
    }),
  }),
  route(
    'traces',
    SPAN_COLUMNS,
    fc.record({ parts: fc.integer({ min: 1, max: 4 }) }),
    async (conditions, { parts }) => {
      const expected = tracesOf(matching(spans, conditions), spans)
      const limit = String(Math.max(1, Math.ceil(expected.length / parts)))
      const rows = await pages('traces', { ...queryOf(conditions), limit })
      expect(rows.map(({ traceId }) => traceId)).toEqual(expected.map(({ traceId }) => traceId))
      expect(rows.map(canonical)).toEqual(expected.map(canonical))
    },
  ),
  groupsRoute<ModelledSpan>('traces/stats', SPAN_COLUMNS, {
    of: spans,
    by: groupsBy(SPAN_STATISTICS.groups, {
      service: ({ service }) => service,
      environment: ({ environment }) => environment,
      name: ({ name }) => name,
      kind: kindOf,
      status: statusOf,
      operation: ({ operation }) => operation,
      provider: ({ provider }) => provider,
      model: ({ model }) => model,
    }),
    measures: spanMeasures,
    falling: ['count'],
    hasRate: true,
  }),
  groupsRoute<ModelledSpan>('llm/usage', LLM_USAGE.columns, {
    of: spans.filter(isCall),
    by: groupsBy(LLM_USAGE.groups, {
      model: ({ model }) => model,
      provider: ({ provider }) => provider,
      service: ({ service }) => service,
      environment: ({ environment }) => environment,
      operation: ({ operation }) => operation,
      prompt: ({ prompt }) => prompt,
      promptVersion: ({ promptVersion }) => promptVersion,
      user: ({ user }) => user,
      session: ({ session }) => session,
      finishReason: ({ finishReason }) => finishReason,
      errorType: ({ errorType }) => errorType,
    }),
    measures: usageMeasures,
    falling: ['cost', 'calls'],
  }),
  route('operations', SPAN_COLUMNS, form, async (conditions, as) => {
    const rows = await list('operations', queryOf(conditions), as)
    const expected = grouped(matching(spans, conditions), { by: operationBy, measures: operationMeasures })
    expect(inAnyOrder(rows)).toEqual(inAnyOrder(expected))
    expectFalling(rows, ['spanCount'])
  }),
  route('dependencies', OF_A_RANGE, form, async (conditions, as) => {
    const rows = await list('dependencies', queryOf(conditions), as)
    const service = conditions.find(({ parameter }) => parameter === 'service')?.text
    const [from, to] = [nanosOf(conditions, 'from'), nanosOf(conditions, 'to')]
    expect(inAnyOrder(rows)).toEqual(inAnyOrder(dependenciesOf(spans, { from, to, service })))
    expectFalling(rows, ['callCount'])
  }),
  route('services', OF_A_RANGE, form, async (conditions, as) => {
    const rows = await list('services', queryOf(conditions), as)
    const others = ofTime(conditions, false)
    // Metrics are those it ever had.
    const found = { spans: matching(spans, conditions), logs: matching(logs, conditions) }
    expect(rows).toEqual(servicesOf({ ...found, points: matching(points, others) }, records))
  }),
  route('sessions', { ...SESSION_COLUMNS, texts: sessionTexts }, form, async (conditions, as) => {
    const rows = await list('sessions', queryOf(conditions), as)
    const found = matching(spans, conditions).filter(({ session }) => session !== undefined)
    expect(inAnyOrder(rows)).toEqual(inAnyOrder(sessionsOf(found, spans)))
    const newest = rows.map(({ sessionId }) =>
      found
        .filter(({ session }) => session === sessionId)
        .reduce((most, { at }) => (at > most ? at : most), 0n),
    )
    newest.slice(1).forEach((time, index) => {
      expect(time / 1000n <= (newest[index] ?? 0n) / 1000n, 'the newest first').toBe(true)
    })
  }),
]

const logRoutes: readonly Route[] = [
  recordRoute('logs', LOG_RECORD_COLUMNS, {
    of: logs,
    idOf: ({ attributes }) => (attributes as Row).n,
    csvIdOf: ({ attributes = '{}' }) => (JSON.parse(attributes) as Row).n,
    csv: (log) => ({
      ...{ timeUnixNano: String(log.at), service: log.service, environment: textOf(log.environment) },
      ...{ level: textOf(levelOf(log)), eventName: textOf(log.name), traceId: textOf(log.traceId) },
    }),
  }),
  groupsRoute<Facts>('logs/levels', LOG_LEVELS.columns, {
    of: logs,
    by: groupsBy(LOG_LEVELS.groups, {
      level: levelOf,
      service: ({ service }) => service,
      environment: ({ environment }) => environment,
      eventName: ({ name }) => name,
    }),
    measures: (members) => ({ count: members.length }),
    falling: ['count'],
  }),
  route('evaluations', EVALUATION_COLUMNS, form, async (conditions, as) => {
    const rows = await list('evaluations', queryOf(conditions), as)
    const newestFirst = matching(evaluations, conditions).sort(byTime).reverse()
    expect(rows.map(canonical)).toEqual(newestFirst.map(evaluationJson).map(canonical))
  }),
  route(
    'evaluations/stats',
    EVALUATION_COLUMNS,
    fc.record({ by: fc.subarray(Object.keys(EVALUATION_GROUPS), { maxLength: 2 }), form }),
    async (conditions, options) => {
      const known = groupsBy<ModelledEvaluation>(EVALUATION_GROUPS, {
        model: ({ model }) => model,
        provider: ({ provider }) => provider,
        prompt: ({ prompt }) => prompt,
        promptVersion: ({ promptVersion }) => promptVersion,
        service: ({ service }) => service,
        operation: ({ operation }) => operation,
        evaluator: ({ evaluator }) => evaluator,
        user: ({ user }) => user,
        session: ({ session }) => session,
      })
      const query = { ...queryOf(conditions), by: options.by.join(',') }
      const rows = await list('evaluations/stats', query, options.form)
      const by = { name: ({ name }: ModelledEvaluation) => name }
      const others = options.by.map((word) => [word, known[word] ?? (() => undefined)])
      const expected = grouped(matching(evaluations, conditions), {
        by: { ...by, ...Object.fromEntries(others) },
        measures: evaluationMeasures,
      })
      expect(inAnyOrder(rows)).toEqual(inAnyOrder(expected))
    },
  ),
]

const LABELS: Readonly<Record<string, (point: ModelledPoint) => unknown>> = {
  service: ({ service }) => service,
  environment: ({ environment }) => environment,
  zone: ({ attributes }) => attributes.zone,
  'host.name': ({ host }) => host,
  nothing: () => undefined,
}

const question = fc.constantFrom(...METRICS).chain(({ name, type }) =>
  fc.record({
    name: fc.constant(name),
    aggregates: fc.subarray([...(AGGREGATES[type] ?? [])], { minLength: 1, maxLength: 4 }),
    by: fc.subarray(Object.keys(LABELS), { maxLength: 3 }),
    step: fc.constantFrom(undefined, '1m', '10m', '1h'),
    form,
  }),
)
const SERIES_STEPS: typeof STEPS = { ...STEPS, '10m': 600_000_000_000n }
const lateEnd = BigInt(Date.now()) * 1_000_000n
const farAgo = lateEnd - 2n * 86_400_000_000_000n

const metricRoutes: readonly Route[] = [
  ...METRICS.slice(1, 3).map(({ name }) =>
    recordRoute(`metrics/${name}/points`, OF_ONE_METRIC, {
      of: ofMetric(name),
      idOf: ({ value }) => value,
      csvIdOf: ({ value }) => Number(value),
      csv: ({ at, service, environment, unit }) => ({
        ...{ timeUnixNano: String(at), name, service, environment: textOf(environment), unit: textOf(unit) },
      }),
    }),
  ),
  groupsRoute<ModelledPoint>('metrics/stats', METRIC_STATISTICS.columns, {
    of: points,
    by: groupsBy(METRIC_STATISTICS.groups, {
      name: ({ name }) => name,
      type: ({ type }) => type,
      unit: ({ unit }) => unit,
      service: ({ service }) => service,
      environment: ({ environment }) => environment,
    }),
    measures: pointMeasures,
    falling: ['points'],
  }),
  route(
    'metrics/requests/query',
    OF_ONE_METRIC,
    question,
    async (conditions, { name, aggregates, by, step, form }) => {
      // A rate is of a time that has an end, and without steps a beginning.
      const needsTime = aggregates.includes('rate')
      const to = nanosOf(conditions, 'to') ?? (needsTime ? lateEnd : undefined)
      const start = to !== undefined && to < farAgo ? to : farAgo
      const from = nanosOf(conditions, 'from') ?? (needsTime && step === undefined ? start : undefined)
      const range = { from: from?.toString(), to: to?.toString() }
      const query = { agg: aggregates.join(','), by: by.join(','), step }
      const others = ofTime(conditions, false)
      if (from !== undefined && to !== undefined && from > to) return
      const rows = await list(
        `metrics/${name}/query`,
        { ...query, ...range, ...queryOf(others), ...queryOf(conditions) },
        form,
      )
      const labels = Object.fromEntries(by.map((label) => [label, LABELS[label] ?? (() => undefined)]))
      const expected = seriesOf(matching(ofMetric(name), others), {
        ...{ from, to, aggregates, by: labels },
        step: step === undefined ? undefined : SERIES_STEPS[step],
      })
      expect(inAnyOrder(rows)).toEqual(inAnyOrder(expected))
      const times = rows.map(({ timeUnixNano }) => BigInt(String(timeUnixNano ?? 0)))
      times.slice(1).forEach((time, index) => {
        expect(time >= (times[index] ?? 0n), 'the oldest first').toBe(true)
      })
    },
    // Five metrics, and many things to tell of each.
    { timesAsMany: 8 },
  ),
  route(
    'metrics/queue/latest',
    OF_ONE_METRIC,
    fc.record({ metric: fc.constantFrom(...METRICS), form }),
    async (conditions, { metric, form }) => {
      const rows = await list(`metrics/${metric.name}/latest`, queryOf(conditions), form)
      const newest = latestOf(matching(ofMetric(metric.name), conditions))
      expect(inAnyOrder(rows)).toEqual(inAnyOrder(newest.map(({ json }) => json)))
      const services = rows.map(({ service }) => service)
      expect(services).toEqual([...services].sort())
    },
  ),
]

describe.each([...spanRoutes, ...logRoutes, ...metricRoutes])('$path', ({ path, words, asked, property }) => {
  test('takes just the words of a filter that are asked for here', async () => {
    for (const word of Object.keys(FILTER_WORDS) as FilterWord[]) {
      const answer = await app.get(`/api/v1/${path}?${word}=${'x'.repeat(2000)}`)
      const { detail } = (await answer.json()) as { detail: string }
      const isRefused = detail.startsWith(`${word} is not a parameter of this route`)
      expect({ word, isTaken: !isRefused }).toEqual({ word, isTaken: words.includes(word) })
    }
  })

  test.each(asked)('answers by %s as plain loops over all records do', async (word) => {
    const conditions =
      word === 'contains'
        ? conditionsTogether([word], records)
        : conditionsBy(word, records).map((one) => [one])
    await property(conditions, RUNS_OF[word] ?? RUNS_ALONE)
  })

  test('answers by several words as plain loops over all records do', () =>
    property(conditionsTogether(asked, records), RUNS_TOGETHER))
})
