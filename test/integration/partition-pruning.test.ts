import type { Readable } from 'node:stream'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { EvaluationRepository } from '../../src/repositories/evaluation-repository.ts'
import type { RecordFilter } from '../../src/repositories/filter.ts'
import { parseFullText } from '../../src/repositories/full-text.ts'
import type { GroupedSource } from '../../src/repositories/grouped-query.ts'
import { LogRecordRepository } from '../../src/repositories/log-record-repository.ts'
import { MetricRepository } from '../../src/repositories/metric-repository.ts'
import type { Aggregate } from '../../src/repositories/metrics/aggregates.ts'
import type { TracePage } from '../../src/repositories/page-traces.ts'
import { ServiceRepository } from '../../src/repositories/service-repository.ts'
import { SessionRepository } from '../../src/repositories/session-repository.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import { TraceRepository } from '../../src/repositories/trace-repository.ts'
import { PARTITIONED_TABLES } from '../../src/retention/partitions.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * What a question about an hour of a month reads. The statements are those that the repositories send; PostgreSQL says by EXPLAIN ANALYZE which partitions their plans have, and
 * which of these were looked into.
 */

const DAYS = 30
const HOUR = 3_600_000_000_000n
const DAY = 24n * HOUR
/** The first day of the month, in days since 1970. */
const FIRST = (BigInt(Date.now()) * 1_000_000n) / DAY - BigInt(DAYS) + 1n
/** Of each day some records have these hours and minutes. */
const TIMES = [
  [0, 5],
  [12, 30],
  [23, 55],
] as const
/** The day that is asked for. */
const ASKED = 15

const SESSION = `s${ASKED}`

const startOf = (day: number) => (FIRST + BigInt(day)) * DAY
/** Hours of that day. */
const hours = (from: number, to: number) => ({
  from: startOf(ASKED) + BigInt(from) * HOUR,
  to: startOf(ASKED) + BigInt(to) * HOUR,
})

let app: TestService
let pool: pg.Pool
interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}
/** What was sent since this was emptied. */
const sent: Statement[] = []

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5', ACCEPT_PAST_DAYS: '40' })
  await sendMonth()
  pool = createPool({
    databaseUrl: app.databaseUrl,
    applicationName: 'asking',
    max: 2,
    onError: () => undefined,
  })
  pool.on('connect', noteStatements)
})
afterAll(async () => {
  await pool?.end()
  await app?.close()
})

/** Of each time of each day a call of another service by a trace, with a session; log records, one of which judges the call; and points of metrics. */
async function sendMonth(): Promise<void> {
  const spans: object[] = []
  const logs: object[] = []
  const points: object[] = []
  for (let day = 0; day < DAYS; day += 1)
    for (const [hour, minute] of TIMES) {
      const id = spans.length + 1
      const at = startOf(day) + BigInt(hour) * HOUR + BigInt(minute) * 60_000_000_000n
      const [traceId, root, child] = [id.toString(16).padStart(32, 'a'), hex(id), hex(id + 1)]
      const time = { timeUnixNano: String(at) }
      const call = {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'm',
        'gen_ai.conversation.id': `s${day}`,
        'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"why?"}]}]',
      }
      const span = { traceId, startTimeUnixNano: String(at), durationMs: 5 }
      spans.push({ ...span, spanId: root, name: 'ask', service: 'web' })
      spans.push({
        ...span,
        spanId: child,
        parentSpanId: root,
        name: 'chat',
        service: 'bot',
        attributes: call,
      })
      const judged = { 'gen_ai.evaluation.name': 'tone', 'gen_ai.evaluation.score.value': 1 }
      logs.push({ ...time, service: 'web', level: 'info', body: 'disk full' })
      logs.push({
        ...time,
        traceId,
        spanId: child,
        eventName: 'gen_ai.evaluation.result',
        attributes: judged,
      })
      points.push({ ...time, service: 'web', name: 'queue', type: 'gauge', value: id })
      points.push({ ...time, service: 'web', name: 'requests', type: 'counter', value: id })
      const buckets = { explicitBounds: [1], bucketCounts: [1, 1], count: 2, sum: 2 }
      points.push({
        ...time,
        service: 'web',
        name: 'latency',
        type: 'histogram',
        temporality: 'delta',
        ...buckets,
      })
    }
  const streams = { traces: spans, logs, metrics: points }
  for (const [signal, records] of Object.entries(streams))
    await app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', JSON.stringify(records))
  await eventually(
    async () => {
      const [counts] = await app.query(
        `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
           (select count(*)::int from metric_points) as points, (select count(*)::int from evaluations) as judged`,
      )
      const judged = DAYS * TIMES.length
      expect(counts).toEqual({ spans: 2 * judged, logs: 2 * judged, points: 3 * judged, judged })
    },
    { timeoutMs: 60_000 },
  )
  await app.query('analyze')
}

function hex(id: number): string {
  return id.toString(16).padStart(16, 'b')
}

/** Every statement on a connection goes through its `query`, those behind a cursor as an object that has one. */
function noteStatements(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown
  client.query = ((statement: unknown, ...rest: unknown[]) => {
    const { cursor, ...other } = statement as Partial<Statement> & { cursor?: Statement }
    const { text, values = [] } = cursor ?? other
    if (text !== undefined) sent.push({ text, values })
    else if (typeof statement === 'string')
      sent.push({ text: statement, values: Array.isArray(rest[0]) ? rest[0] : [] })
    return query(statement, ...rest)
  }) as typeof client.query
}

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly 'Recheck Cond'?: string
  readonly 'Actual Loops'?: number
  readonly Plans?: readonly Plan[]
}

/** A part of a plan that reads a partition. */
interface Scan {
  readonly table: string
  /** Of the month. */
  readonly day: number
  /** Of the index that is used. */
  readonly condition: string
  readonly isRun: boolean
}

function scansIn(plan: Plan): Scan[] {
  const [, table = '', year, month, day] =
    /^(\w+)_p(\d{4})(\d\d)(\d\d)$/.exec(plan['Relation Name'] ?? '') ?? []
  const scan = {
    table,
    day: Number(BigInt(Date.parse(`${year}-${month}-${day}`) || 0) / 86_400_000n - FIRST),
    condition: plan['Index Cond'] ?? plan['Recheck Cond'] ?? '',
    isRun: (plan['Actual Loops'] ?? 0) > 0,
  }
  return [...(table === '' ? [] : [scan]), ...(plan.Plans ?? []).flatMap(scansIn)]
}

type Answer = Readable | TracePage | undefined
type Filter = RecordFilter & { readonly limit: number }
const { signal } = new AbortController()

/** Runs a question, and explains what it sent. Tables are smaller than those of a day are: they are read by an index wherever one can be used. */
async function scansOf(ask: () => Promise<Answer>): Promise<Scan[]> {
  sent.length = 0
  expect(await countOf(await ask()), 'rows of the answer').toBeGreaterThan(0)
  const reads = sent.filter(({ text }) => READS.test(text) && !text.includes('pg_inherits'))
  expect(reads, 'statements that read what is partitioned').not.toEqual([])
  return withPostgres(app.databaseUrl, async (client) => {
    await client.query('set enable_seqscan = off')
    const scans: Scan[] = []
    for (const { text, values } of reads) {
      const { rows } = await client.query(`explain (analyze, format json) ${text}`, [...values])
      for (const { Plan: plan } of rows[0]['QUERY PLAN'] as { Plan: Plan }[]) scans.push(...scansIn(plan))
    }
    return scans
  })
}

const READS = new RegExp(`${PARTITIONED_TABLES.join('|')}|_view\\b|traces|trace_summaries|llm_calls`)

async function countOf(answer: Answer): Promise<number> {
  if (answer === undefined) return 0
  if ('traces' in answer) return answer.traces.length
  let rows = 0
  for await (const _ of answer) rows += 1
  return rows
}

/** The days of each table. */
function daysOf(scans: readonly Scan[]): Record<string, number[]> {
  const days: Record<string, number[]> = {}
  for (const { table, day } of scans)
    days[table] = [...new Set([...(days[table] ?? []), day])].sort((a, b) => a - b)
  return days
}

function series(name: string, { limit, from, to }: Filter, ...aggregates: Aggregate[]): Promise<Answer> {
  const conditions = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  const query = { name, conditions, aggregates, by: [], step: HOUR, limit }
  return new MetricRepository(pool).queryMetric(query, signal)
}

function groups(source: GroupedSource, filter: Filter): Promise<Answer> {
  return new StatisticsRepository(pool).streamGroups(source, filter, { by: [], step: undefined, signal })
}

const json = { form: 'json', signal } as const
const csv = { form: 'csv', signal } as const
const fullText = parseFullText('disk')
const spans = () => new TraceRepository(pool)
const logs = () => new LogRecordRepository(pool)
const points = () => new MetricRepository(pool)
const services = () => new ServiceRepository(pool)
const evaluations = () => new EvaluationRepository(pool)

/** What is asked, the table that is read, and how. */
type Question = readonly [what: string, table: string, ask: (filter: Filter) => Promise<Answer>]

const WITHIN: readonly Question[] = [
  ['spans', 'spans', (filter) => spans().streamSpans(filter, json)],
  ['spans in order, as CSV', 'spans', (filter) => spans().streamSpans({ ...filter, order: 'asc' }, csv)],
  ['spans of a session', 'spans', (filter) => spans().streamSpans({ ...filter, session: SESSION }, json)],
  ['a page of spans', 'spans', (filter) => spans().pageSpans(filter, signal)],
  [
    'a page of spans of a service',
    'spans',
    (filter) => spans().pageSpans({ ...filter, service: 'bot' }, signal),
  ],
  ['statistics of spans', 'spans', (filter) => groups(SPAN_STATISTICS, filter)],
  ['usage of models', 'spans', (filter) => groups(LLM_USAGE, filter)],
  ['operations', 'spans', (filter) => services().streamOperations(filter, signal)],
  ['log records', 'log_records', (filter) => logs().streamLogRecords(filter, json)],
  ['a full text', 'log_records', (filter) => logs().streamLogRecords({ ...filter, fullText }, json)],
  ['a substring', 'log_records', (filter) => logs().streamLogRecords({ ...filter, contains: 'sk' }, csv)],
  ['a page of log records', 'log_records', (filter) => logs().pageLogRecords(filter, signal)],
  [
    'a page of a full text',
    'log_records',
    (filter) => logs().pageLogRecords({ ...filter, fullText }, signal),
  ],
  ['levels of log records', 'log_records', (filter) => groups(LOG_LEVELS, filter)],
  ['points', 'metric_points', (filter) => points().streamPoints({ ...filter, name: 'queue' }, json)],
  [
    'a page of points',
    'metric_points',
    (filter) => points().pagePoints({ ...filter, name: 'queue' }, signal),
  ],
  [
    'the newest points',
    'metric_points',
    (filter) => points().streamLatest({ ...filter, name: 'queue' }, signal),
  ],
  ['statistics of metrics', 'metric_points', (filter) => groups(METRIC_STATISTICS, filter)],
  ['a gauge over time', 'metric_points', (filter) => series('queue', filter)],
]

test('there is a month of partitions', async () => {
  const partitions = await app.query(`select from pg_inherits where inhparent = 'spans'::regclass`)
  expect(partitions.length).toBeGreaterThanOrEqual(DAYS)
})

describe.each([
  [12, 13],
  [0, 1],
  [23, 24],
])('of the hour from %i to %i of a day', (from, to) => {
  const filter = { ...hours(from, to), limit: 10 }
  /** Contents are looked up by their key, in the partition of the record. */
  const ofRecords = ({ table }: Scan) => !table.endsWith('_contents')

  test.each(WITHIN)('%s read that day of %s', async (_, table, ask) => {
    const scans = await scansOf(() => ask(filter))
    expect(daysOf(scans.filter(ofRecords))).toEqual({ [table]: [ASKED] })
    const contents = daysOf(scans.filter((scan) => !ofRecords(scan) && scan.isRun))
    for (const days of Object.values(contents)) expect(days).toEqual([ASKED])
  })

  test('services read that day of spans and of log records', async () => {
    const scans = await scansOf(() => services().streamServices(filter, signal))
    expect(daysOf(scans)).toEqual({ spans: [ASKED], log_records: [ASKED] })
  })

  test('dependencies read the hours beside it, too, where a parent may be', async () => {
    const scans = await scansOf(() => services().streamDependencies(filter, signal))
    const beside = [...(from === 0 ? [ASKED - 1] : []), ASKED, ...(to === 24 ? [ASKED + 1] : [])]
    expect(daysOf(scans)).toEqual({ spans: beside })
  })

  test.each<[string, Aggregate[]]>([
    ['requests', ['increase']],
    ['latency', ['p50']],
  ])('%s over time read 15 minutes before it, too', async (name, aggregates) => {
    const scans = await scansOf(() => series(name, filter, ...aggregates))
    expect(daysOf(scans)).toEqual({ metric_points: from === 0 ? [ASKED - 1, ASKED] : [ASKED] })
  })

  const isLookUp = ({ condition }: Scan) => /\b(?:trace_id|response_id) = /.test(condition)

  test('a page of traces looks the rest of each up by its id, a day around it', async () => {
    const scans = await scansOf(() => spans().pageTraces(filter, undefined, signal))
    expect(daysOf(scans.filter((scan) => !isLookUp(scan)))).toEqual({ spans: [ASKED] })
    for (const day of daysOf(scans.filter(isLookUp)).spans ?? [])
      expect(Math.abs(day - ASKED)).toBeLessThanOrEqual(2)
  })

  test('sessions and turns look the rest of each trace up by its id', async () => {
    const sessions = new SessionRepository(pool)
    for (const ask of [
      () => sessions.streamSessions(filter, signal),
      () => sessions.streamTurns(SESSION, filter, signal),
    ]) {
      const scans = (await scansOf(ask)).filter(ofRecords)
      expect(daysOf(scans.filter((scan) => !isLookUp(scan)))).toEqual({ spans: [ASKED] })
    }
  })

  test('evaluations look the calls that they judge up by their ids, of the days before', async () => {
    for (const ask of [
      () => evaluations().streamEvaluations(filter, signal),
      () => evaluations().streamAverages(filter, ['model'], signal),
    ]) {
      const scans = await scansOf(ask)
      expect(daysOf(scans.filter((scan) => !isLookUp(scan)))).toEqual({ evaluations: [ASKED] })
      const { spans: calls = [] } = daysOf(scans.filter(({ isRun, table }) => isRun && table === 'spans'))
      expect(Math.max(...calls)).toBeLessThanOrEqual(ASKED + 1)
    }
  })
})
