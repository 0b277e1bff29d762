import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parquetBody } from '../../src/http/encoders/parquet-body.ts'
import { eventually } from '../helpers/eventually.ts'
import { describeParquet, queryParquet, readParquet } from '../helpers/read-parquet.ts'
import { runObservatory } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const NOW = BigInt(Date.now()) * 1_000_000n
/** The largest integer of 64 bits. */
const MOST = '9223372036854775807'
const ODD_TEXT = 'a "quoted" text,\r\nof two lines; ünï 😀 \u0001\u007f\u2028'
const ATTRIBUTES = {
  text: ODD_TEXT,
  most: '<most>',
  deep: { list: [1.5, null, true, { a: [] }] },
  none: null,
  '': '',
}
/** Numbers that no double holds are written by hand. */
const withMost = (value: unknown) => JSON.stringify(value).replaceAll('"<most>"', MOST)

const SPANS = [
  {
    traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
    spanId: 'a1b2c3d4e5f60718',
    parentSpanId: 'ffffffffffffffff',
    traceState: 'a=b',
    flags: 1,
    name: ODD_TEXT,
    kind: 'client',
    startTimeUnixNano: String(NOW - 123_456_789n),
    endTimeUnixNano: String(NOW),
    status: { code: 'error', message: 'no' },
    service: 'bot',
    attributes: {
      ...ATTRIBUTES,
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.output_tokens': 7,
      'gen_ai.usage.cost': '12345678901234567890.1234567890123456785',
      'gen_ai.input.messages': '[{"role":"user"}]',
    },
    events: [{ name: 'said', timeUnixNano: String(NOW), attributes: ATTRIBUTES }],
    links: [{ traceId: '5b8aa5a2d2c872e8321cf37308d69df3', spanId: 'a1b2c3d4e5f60719', attributes: {} }],
    scope: { name: 'sdk', version: '1' },
    resource: { 'deployment.environment.name': 'prod', odd: ODD_TEXT },
  },
  {
    traceId: '00000000000000000000000000000abc',
    spanId: '0000000000000001',
    name: '',
    startTimeUnixNano: String(NOW),
  },
]
const LOGS = [
  {
    timeUnixNano: String(NOW - 1n),
    body: { said: ATTRIBUTES },
    severityNumber: 17,
    service: 'api',
    eventName: 'e',
    traceId: SPANS[0]?.traceId,
    attributes: ATTRIBUTES,
  },
  { timeUnixNano: String(NOW), body: '', service: 'api' },
  { timeUnixNano: String(NOW), service: 'api' },
]
const POINTS = [
  { name: 'p', type: 'gauge', value: 'NaN' },
  { name: 'p', type: 'gauge', value: '-Infinity' },
  { name: 'p', type: 'gauge', value: 0.1 },
  { name: 'p', type: 'counter', value: '<most>' },
  {
    name: 'p',
    type: 'histogram',
    count: 3,
    sum: 1e300,
    min: -0.5,
    max: 2,
    explicitBounds: [0, 1.5],
    bucketCounts: [1, '<most>', 0],
  },
  { name: 'p', type: 'histogram', count: 0, explicitBounds: [], bucketCounts: [] },
  {
    name: 'p',
    type: 'exponentialHistogram',
    count: 3,
    scale: -2,
    zeroCount: 1,
    positive: { offset: -7, bucketCounts: [1, 1] },
  },
  { name: 'p', type: 'summary', count: 2, sum: 3, quantiles: [{ quantile: 0.5, value: 'NaN' }] },
].map((point, index) => ({
  ...point,
  timeUnixNano: String(NOW - BigInt(index)),
  service: 'api',
  attributes: ATTRIBUTES,
}))

/** Rows that make several groups. */
const MANY = 23_000
let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const { redis, prefix } = app
  await redis.xadd(`${prefix}:traces`, '*', 'json', withMost(SPANS))
  await redis.xadd(`${prefix}:logs`, '*', 'json', withMost(LOGS))
  await redis.xadd(`${prefix}:metrics`, '*', 'json', withMost(POINTS))
  const row = { service: 'many', time: new Date().toISOString(), level: 'info' }
  const rows = Array.from({ length: MANY / 100 }, (_, index) =>
    JSON.stringify(Array.from({ length: 100 }, (_, at) => ({ ...row, attributes: { n: 100 * index + at } }))),
  )
  const pipeline = redis.pipeline()
  for (const json of rows) pipeline.xadd(`${prefix}:logs`, '*', 'json', json)
  await pipeline.exec()
  await eventually(async () => {
    const counts = `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
      (select count(*)::int from metric_points) as points, (select count(*)::int from dead_letters) as letters`
    const all = { spans: SPANS.length, logs: LOGS.length + MANY, points: POINTS.length, letters: 0 }
    expect(await app.query(counts)).toEqual([all])
  })
})
afterAll(() => app?.close())

async function download(path: string, headers: Record<string, string> = {}): Promise<Buffer> {
  const answer = await fetch(new URL(path, app.service.url), { headers })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/vnd.apache.parquet')
  return Buffer.from(await answer.arrayBuffer())
}

/** What a column is called in the view, where that is another name; the SQL that PostgreSQL shows a value by. */
const SQL_OF: Record<string, string> = {
  traceId: 'trace_id_hex',
  resource: 'resource_attributes::text',
  cost: 'round(cost, 18)::numeric(38, 18)::text',
  startTime: '(start_time_unix_nano / 1000)::text',
  endTime: '(end_time_unix_nano / 1000)::text',
  time: '(time_unix_nano / 1000)::text',
  observedTime: '(observed_time_unix_nano / 1000)::text',
}

/** The same values as PostgreSQL has them, in the types that {@link readParquet} makes. */
async function storedRows(view: string, columns: Record<string, unknown>, order: string) {
  const select = Object.keys(columns).map((name) => {
    const column = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const sql = SQL_OF[name] ?? (columns[name] === 'JSON' ? `${column}::text` : column)
    return `${sql} as "${name}"`
  })
  return app.query(
    `select ${select.join(', ')} from ${view} where service is distinct from 'many' order by ${order}`,
  )
}

describe('a Parquet file', () => {
  test.each([
    ['span_view', '/api/v1/spans?format=parquet&order=asc', 'start_time_unix_nano'],
    ['log_view', '/api/v1/logs?format=parquet&order=asc&service=api', 'time_unix_nano, record_index'],
    ['point_view', '/api/v1/metrics/p/points?format=parquet&order=asc', 'time_unix_nano'],
  ])('of %s says in every column what PostgreSQL has, whoever reads it', async (view, path, order) => {
    const file = await download(path)
    const rows = await readParquet(file)
    const stored = await storedRows(view, await describeParquet(file), order)
    expect(stored.length).toBeGreaterThan(1)
    expect(rows).toEqual(stored)
  })

  test('has columns of the types that they are', async () => {
    const spans = await describeParquet(await download('/api/v1/spans?format=parquet'))
    expect(spans).toMatchObject({
      traceId: 'VARCHAR',
      startTime: 'TIMESTAMP WITH TIME ZONE',
      startTimeUnixNano: 'BIGINT',
      cost: 'DECIMAL(38,18)',
      costIsComputed: 'BOOLEAN',
      attributes: 'JSON',
      events: 'JSON',
    })
    const points = await describeParquet(await download('/api/v1/metrics/p/points?format=parquet'))
    expect(points).toMatchObject({
      value: 'DOUBLE',
      explicitBounds: 'DOUBLE[]',
      bucketCounts: 'BIGINT[]',
      scale: 'INTEGER',
    })
  })

  test('is what Accept asks for, of as many rows as are asked for, and one of no rows is a file too', async () => {
    const accept = { accept: 'application/vnd.apache.parquet' }
    expect(await readParquet(await download('/api/v1/logs?limit=2', accept))).toHaveLength(2)
    expect(await readParquet(await download('/api/v1/logs?service=nobody', accept))).toEqual([])
  })

  test('of many rows is one of several groups, and has every row once', async () => {
    const file = await download('/api/v1/logs?format=parquet&service=many')
    const sums = await queryParquet(
      file,
      (name) => `select count(distinct (attributes->>'n')::int)::int as n, count(*)::int as rows,
        (select count(distinct row_group_id)::int from parquet_metadata('${name}')) as groups from read_parquet('${name}')`,
    )
    expect(sums).toEqual([{ n: MANY, rows: MANY, groups: 5 }])
  })

  test('that is cut off has no end, and no reader takes it', async () => {
    async function* rows() {
      for (let n = 0; n < 25_000; n += 1) yield [String(n), `row ${n}`]
      throw new Error('the server went away')
    }
    const columns = [
      { name: 'n', type: 'int64' },
      { name: 'text', type: 'string' },
    ] as const
    const body = parquetBody(Readable.from(rows()), columns)
    const chunks: Buffer[] = []
    await expect(
      pipeline(body, async (sent) => {
        for await (const chunk of sent) chunks.push(chunk)
      }),
    ).rejects.toThrow('the server went away')
    expect(body.counted).toMatchObject({ rows: 25_000, error: { message: 'the server went away' } })
    const bytes = Buffer.concat(chunks)
    expect(bytes.subarray(0, 4).toString()).toBe('PAR1')
    await expect(readParquet(bytes)).rejects.toThrow(/magic bytes/)
  })

  test('waits for a slow reader, and ends the query of one that goes away', async () => {
    let made = 0
    async function* rows() {
      for (;;) {
        made += 1
        yield [String(made)]
      }
    }
    const source = Readable.from(rows())
    const body = parquetBody(source, [{ name: 'n', type: 'int64' }])
    for await (const _ of body) break
    await eventually(() => expect(source.destroyed).toBe(true))
    // Some groups of 5,000.
    expect(made).toBeLessThan(100_000)
  })
})

describe('observatory query --format parquet', () => {
  const env = () => ({ DATABASE_URL: app.databaseUrl })
  test('writes the same file', async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'parquet-'))
    try {
      const args = ['query', 'spans', '--format', 'parquet', '--order', 'asc']
      const { code, stderr, stdout } = await runObservatory(args, { cwd, env: env(), encoding: 'latin1' })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const rows = await readParquet(Buffer.from(stdout, 'latin1'))
      expect(rows).toEqual(await readParquet(await download('/api/v1/spans?format=parquet&order=asc')))
    } finally {
      await rm(cwd, { recursive: true })
    }
  })

  test('says where there is none', async () => {
    for (const args of [['usage'], ['metrics', 'p', '--agg', 'avg']]) {
      const { code, stderr } = await runObservatory(['query', ...args, '--format', 'parquet'], { env: env() })
      expect(code, args.join(' ')).toBe(2)
      expect(stderr).toContain('parquet')
    }
  })
})
