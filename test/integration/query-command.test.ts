import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { definitionListing } from '../../src/commands/query/definition-listing.ts'
import type { Listing } from '../../src/commands/query/listing.ts'
import { addFilterFlags, type QueryFlags, readConditions } from '../../src/commands/query/query-flags.ts'
import { traceListing } from '../../src/commands/query/trace-listing.ts'
import { writeListing } from '../../src/commands/query/write-listing.ts'
import { writeTrace } from '../../src/commands/query/write-trace.ts'
import { createPool } from '../../src/pool.ts'
import { EvaluationRepository } from '../../src/repositories/evaluation-repository.ts'
import { filterWordsOf } from '../../src/repositories/filter-words.ts'
import { LOG_RECORD_COLUMNS, LogRecordRepository } from '../../src/repositories/log-record-repository.ts'
import { MetricRepository } from '../../src/repositories/metric-repository.ts'
import { SPAN_COLUMNS, TraceRepository } from '../../src/repositories/trace-repository.ts'
import { eventually } from '../helpers/eventually.ts'
import { FakeOutput } from '../helpers/fake-output.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { type Finished, LAUNCHER, RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const MS = 1_000_000n
const NOW = BigInt(Date.now()) * MS
/** More than are read as a page. */
const TRACES = 1150
const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2'
const ROOTLESS_ID = '00000000000000000000000000000abc'
const EVIL = '\u001b[2J\u001b]0;title\u0007red\r\nline\u202e\u009b31m'

let app: TestService
let pool: pg.Pool
let cwd: string

const idOf = (name: string) => Buffer.from(name.padEnd(8, '_')).toString('hex')

/** A span of the known trace: it begins so many milliseconds after the trace does. */
function span(
  name: string,
  parent: string | undefined,
  [at, durationMs]: [number, number],
  more: object = {},
) {
  return {
    traceId: TRACE_ID,
    spanId: idOf(name),
    parentSpanId: parent && idOf(parent),
    name,
    service: 'bot',
    startTimeUnixNano: String(NOW - 60_000n * MS + BigInt(at) * MS),
    durationMs,
    ...more,
  }
}

const CALL = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o-mini',
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.output_tokens': 100,
  'gen_ai.prompt.name': 'greeting',
  'user.id': 'ann',
  'gen_ai.conversation.id': 'talk',
  retries: 3,
}

const SPANS = [
  span('request', undefined, [0, 1000], {
    kind: 'server',
    resource: { 'deployment.environment.name': 'prod' },
  }),
  span('call', 'request', [100, 400], { kind: 'client', attributes: CALL }),
  span('tool', 'request', [600, 300], { service: 'tools', status: { code: 'error', message: 'no answer' } }),
  ...['lost', 'below'].map((name, index) => ({
    ...span(name, index === 0 ? 'gone' : 'lost', [100_000, 50 + index], { service: 'odd' }),
    traceId: ROOTLESS_ID,
  })),
]

const log = (service: string, ageMs: number, more: object) => ({
  service,
  timeUnixNano: String(NOW - BigInt(ageMs) * MS),
  ...more,
})
const LOGS = [
  ...Array.from({ length: 120 }, (_, index) =>
    log('many', index, { level: 'info', message: `entry ${index}` }),
  ),
  log('evil', 5, { level: 'error', message: EVIL }),
  log('words', 7200_000, {
    level: 'debug',
    message: 'a slow timeout',
    traceId: TRACE_ID,
    spanId: idOf('call'),
  }),
  log('words', 10, {
    level: 'warn',
    message: 'other',
    eventName: 'turn',
    attributes: { big: 12345678901234567n },
  }),
]

const POINTS = [1, 2, 3].map((value) => ({
  name: 'queue.depth',
  type: 'gauge',
  unit: '{request}',
  description: 'Waiting.',
  value,
  service: 'bot',
  timeUnixNano: String(NOW - BigInt(value) * 1000n * MS),
  attributes: { queue: `q${value}` },
}))

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-query-'))
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const { redis, prefix } = app
  const traces = Array.from({ length: TRACES }, (_, index) => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: `one of many ${index}`,
    service: 'many',
    startTimeUnixNano: String(NOW - 3600_000n * MS - BigInt(index) * MS),
    durationMs: 1,
  }))
  const toJson = (records: unknown) =>
    JSON.stringify(records, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  await redis.xadd(`${prefix}:traces`, '*', 'json', toJson([...SPANS, ...traces]))
  await redis.xadd(`${prefix}:logs`, '*', 'json', toJson(LOGS))
  await redis.xadd(`${prefix}:metrics`, '*', 'json', toJson(POINTS))
  await eventually(async () => {
    const [counts] = await app.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
              (select count(*)::int from metric_points) as points, (select count(*)::int from dead_letters) as letters`,
    )
    expect(counts).toEqual({ spans: SPANS.length + TRACES, logs: LOGS.length, points: 3, letters: 0 })
  })
  pool = createPool({
    databaseUrl: app.databaseUrl,
    applicationName: 'query test',
    max: 2,
    onError: () => undefined,
  })
})
afterAll(async () => {
  await pool?.end()
  await app?.close()
  await rm(cwd, { recursive: true, force: true })
})

const env = () => ({ DATABASE_URL: app.databaseUrl })
const run = (...args: string[]): Promise<Finished> => runObservatory(['query', ...args], { env: env(), cwd })
const linesOf = (text: string) => text.split('\n').slice(0, -1)
const namesOf = (text: string) => linesOf(text).map((line) => JSON.parse(line).name as string)
const get = async (path: string) => (await app.get(path)).text()

function onTerminal(columns: number, signal = new AbortController().signal) {
  const [stdout, stderr] = [new FakeOutput(columns), new FakeOutput()]
  return { format: 'table' as const, stdout, stderr, signal }
}

describe('filters', () => {
  const { signal } = new AbortController()
  /** The words of a command, as commander and the repositories take them. */
  const conditions = (columns: typeof SPAN_COLUMNS, args: readonly string[]) => {
    const command = addFilterFlags(new Command(), columns).exitOverride()
    return readConditions(command.parse(args, { from: 'user' }).opts<QueryFlags>(), columns)
  }
  const found = async (rows: AsyncIterable<readonly [string]>, member: string) => {
    const values: string[] = []
    for await (const [json] of rows) values.push(JSON.parse(json)[member])
    return values.sort()
  }

  const spanWords: readonly (readonly [args: readonly string[], names: readonly string[]])[] = [
    [
      ['--from', '-50s'],
      ['below', 'lost'],
    ],
    [['--to', '-2m', '--service', 'bot'], []],
    [['--service', 'tools'], ['tool']],
    [['--environment', 'prod'], ['request']],
    [['--name', 'call'], ['call']],
    [
      ['--trace-id', TRACE_ID.toUpperCase()],
      ['call', 'request', 'tool'],
    ],
    [['--span-id', idOf('tool')], ['tool']],
    [['--status', 'error'], ['tool']],
    [['--kind', 'server'], ['request']],
    [
      ['--min-duration', '400ms'],
      ['call', 'request'],
    ],
    [
      ['--max-duration', '55ms', '--service', 'odd'],
      ['below', 'lost'],
    ],
    [['--model', 'gpt-4o-mini'], ['call']],
    [['--provider', 'openai'], ['call']],
    [['--operation', 'chat'], ['call']],
    [['--prompt', 'greeting'], ['call']],
    [['--user', 'ann'], ['call']],
    [['--session', 'talk'], ['call']],
    [['--attr', 'retries=3', '--attr', 'attr.user.id=ann'], ['call']],
    [['--attr', 'retries=4'], []],
  ]

  test.each(spanWords)('%j chooses spans', async (args, names) => {
    const filter = { ...conditions(SPAN_COLUMNS, args), limit: null }
    const rows = await new TraceRepository(pool).streamSpans(filter, { form: 'json', signal })
    expect(await found(rows, 'name')).toEqual(names)
  })

  test('there is a flag for every word of spans', () => {
    const flags = filterWordsOf(SPAN_COLUMNS).map(
      (word) => `--${word.replace(/[A-Z]/, (c) => `-${c.toLowerCase()}`)}`,
    )
    expect(spanWords.flatMap(([args]) => args).filter((arg) => flags.includes(arg))).toEqual(
      expect.arrayContaining(flags),
    )
  })

  test.each([
    [
      ['--level', 'warn', '--from', '-1m'],
      [EVIL, 'other'],
    ],
    [['--q', 'timeout -fast'], ['a slow timeout']],
    [['--contains', 'TIMEOUT', '--from', '-3h'], ['a slow timeout']],
    [['--name', 'turn'], ['other']],
    [['--span-id', idOf('call')], ['a slow timeout']],
    [['--service', 'words', '--to', '-1h'], ['a slow timeout']],
  ])('%j chooses log records', async (args, bodies) => {
    const filter = { ...conditions(LOG_RECORD_COLUMNS, args), limit: null }
    const rows = await new LogRecordRepository(pool).streamLogRecords(filter, { form: 'json', signal })
    expect(await found(rows, 'body')).toEqual(bodies)
  })

  test('hold together in the command itself, for each thing that is listed', async () => {
    const only = ['--service', 'bot', '--from', '-1h', '--attr', 'retries=3']
    expect(namesOf((await run('spans', ...only, '--trace-id', TRACE_ID)).stdout)).toEqual(['call'])
    expect(namesOf((await run('traces', ...only, '--model', 'gpt-4o-mini')).stdout)).toEqual(['request'])
    expect(linesOf((await run('logs', '--service', 'words', '--q', 'slow')).stdout)).toHaveLength(1)
    expect(linesOf((await run('metrics', 'queue.depth', '--attr', 'queue=q2')).stdout)).toHaveLength(1)
    const usage = linesOf((await run('usage', ...only.slice(0, 4), '--by', 'model,user')).stdout)
    expect(usage.map((line) => JSON.parse(line))).toMatchObject([
      { model: 'gpt-4o-mini', user: 'ann', calls: 1 },
    ])
  })
})

describe('into a pipe', () => {
  test.each([
    [['spans', '--service', 'bot'], '/api/v1/spans?service=bot'],
    [['logs', '--service', 'many'], '/api/v1/logs?service=many'],
    [['metrics', 'queue.depth'], '/api/v1/metrics/queue.depth/points?'],
  ])('%j is what HTTP answers, as NDJSON and as CSV', async (args, path) => {
    const ndjson = await run(...args, '--order', 'asc')
    expect(ndjson).toEqual({ code: 0, stderr: '', stdout: await get(`${path}&format=ndjson&order=asc`) })
    const csv = await run(...args, '--order', 'asc', '--format', 'csv')
    expect(csv).toEqual({ code: 0, stderr: '', stdout: await get(`${path}&format=csv&order=asc`) })
    expect(linesOf(csv.stdout).length).toBeGreaterThan(2)
  })

  test('all traces come, the newest first and each once, past those of the first page', async () => {
    const { code, stdout } = await run('traces', '--service', 'many')
    expect([code, namesOf(stdout)]).toEqual([
      0,
      Array.from({ length: TRACES }, (_, index) => `one of many ${index}`),
    ])
    const limited = await run('traces', '--service', 'many', '--limit', '1101', '--json')
    expect(namesOf(limited.stdout)).toEqual(namesOf(stdout).slice(0, 1101))
  })

  test('a limit takes the newest', async () => {
    const { stdout } = await run('logs', '--service', 'many', '--limit', '2')
    expect(linesOf(stdout).map((line) => JSON.parse(line).body)).toEqual(['entry 0', 'entry 1'])
  })

  test('lists, too, can be CSV', async () => {
    const usage = linesOf(
      (await run('usage', '--by', 'model,errorType', '--step', '1h', '--format', 'csv')).stdout,
    )
    expect(usage[0]).toMatch(/^timeUnixNano,model,errorType,calls,.*,cost,.*,durationNs\.p50,/)
    expect(usage[1]).toMatch(/^\d{19},gpt-4o-mini,,1,0,0\.0*,1000,100,0,0,0,0\.00021\d*,0,400000000,/)
    const traces = linesOf((await run('traces', '--name', 'call', '--format', 'csv')).stdout)
    expect(traces[1]).toMatch(
      new RegExp(`^${TRACE_ID},\\d+,1000000000,request,bot,"\\[""bot"",""tools""\\]",3,1,1000,100,`),
    )
    expect((await run('metrics', '--format', 'csv')).stdout).toBe(
      'name,type,unit,description,temporality,isMonotonic\r\nqueue.depth,gauge,{request},Waiting.,,\r\n',
    )
  })

  test('a table can be had too: all of it, nothing cut, without colors', async () => {
    const { stdout } = await run('logs', '--service', 'many', '--format', 'table')
    const lines = linesOf(stdout)
    expect(lines[0]).toMatch(/^TIME +LEVEL +SERVICE +BODY$/)
    expect(lines.slice(1).map((line) => line.replace(/.* /, ''))).toEqual(
      Array.from({ length: 120 }, (_, index) => String(index)),
    )
    expect(stdout).not.toContain('\u001b')
  })

  test('progress is told where a person sees it and the data goes elsewhere, and nowhere else', async () => {
    const listing = traceListing(new TraceRepository(pool), { service: 'many' })
    const write = async (stdout: FakeOutput, stderr: FakeOutput) => {
      const { signal } = new AbortController()
      await writeListing(listing, undefined, { format: 'ndjson', stdout, stderr, signal })
      return stderr.text
    }
    expect(await write(new FakeOutput(), new FakeOutput(80))).toMatch(
      /^1,150 traces in \d+\.\d s, [\d,]+\/s\n$/m,
    )
    expect(await write(new FakeOutput(), new FakeOutput())).toBe('')
    expect(await write(new FakeOutput(80), new FakeOutput(80))).toBe('')
  })
})

describe('on a terminal', () => {
  const write = async <T>(listing: Listing<T>, limit?: number, columns = 100) => {
    const output = onTerminal(columns)
    await writeListing(listing, limit, output)
    return output
  }
  const many = () => traceListing(new TraceRepository(pool), { service: 'many' })

  test('are the newest hundred, and a word of how to see the others', async () => {
    const { stdout, stderr } = await write(many())
    expect(stdout.lines).toHaveLength(101)
    expect(stdout.lines[1]).toMatch(/one of many 0$/)
    expect(stderr.text).toBe(
      'the newest 100 traces are shown, and there are more: --limit 1000 shows more, a pipe or a file gets all\n',
    )
  })

  test('are as many as asked for, without a word', async () => {
    const { stdout, stderr } = await write(many(), 120)
    expect([stdout.lines.length, stderr.text]).toEqual([121, ''])
  })

  test('a hundred of a hundred are all of them', async () => {
    const only = await app.query<{ start: string }>(
      `select min(start_time_unix_nano)::text as start from (
         select start_time_unix_nano from spans where service = 'many' order by 1 desc limit 100) as newest`,
    )
    const from = BigInt(only[0]?.start ?? 0)
    const { stdout, stderr } = await write(traceListing(new TraceRepository(pool), { service: 'many', from }))
    expect([stdout.lines.length, stderr.text]).toEqual([101, ''])
  })

  test('nothing is said to be nothing', async () => {
    const { stdout, stderr } = await write(traceListing(new TraceRepository(pool), { service: 'nobody' }))
    expect([stdout.text, stderr.text]).toEqual(['', 'no traces match\n'])
  })

  test('metrics are listed', async () => {
    const { stdout } = await write(definitionListing(new MetricRepository(pool)))
    expect(stdout.lines[0]).toMatch(/NAME +TYPE +UNIT +DESCRIPTION/)
    expect(stdout.lines[1]).toMatch(/^queue\.depth +gauge +\{request\} +.*Waiting\./)
  })
})

describe('a table', () => {
  test.each([
    [
      ['logs', '--service', 'evil'],
      /^\S+Z {2}error {2}evil {5}\\x1b\[2J\\x1b\]0;title\\x07red\\r\\nline\\u\{202e\}\\x9b31m$/,
    ],
    [['logs', '--name', 'turn'], /^\S+Z {2}warn {3}words {4}turn other$/],
    [['spans', '--service', 'tools'], /300 ms {2}[0-9a-f]{32} +tools +✗ tool: no answer$/],
    [['metrics', 'queue.depth', '--limit', '1'], /^\S+Z {2}bot {6}1 \{request\} {2}queue=q1$/],
    [['usage'], /^gpt-4o-mini {6}1 +1,000 +100 +\$0\.00021 +400 ms +400 ms$/],
  ])('of %j has a line that a person reads, and nothing in it acts on a terminal', async (args, line) => {
    const { code, stdout } = await run(...args, '--format', 'table')
    expect(code).toBe(0)
    const lines = linesOf(stdout)
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatch(line)
  })
})

describe('one trace', () => {
  const repositories = () => ({
    traces: new TraceRepository(pool),
    logRecords: new LogRecordRepository(pool),
    evaluations: new EvaluationRepository(pool),
  })
  const draw = async (traceId: string, columns = 100) => {
    process.env.NO_COLOR = '1'
    const output = onTerminal(columns)
    try {
      await writeTrace(repositories(), traceId, output)
    } finally {
      delete process.env.NO_COLOR
    }
    return output.stdout.lines
  }

  test('is a waterfall: a tree with durations, errors marked, and what calls of models took', async () => {
    const [title, id, sums, , ...lines] = await draw(TRACE_ID)
    expect(title).toBe('request (bot, tools)')
    expect(id).toBe(`trace ${TRACE_ID}`)
    expect(sums).toMatch(/^\S+Z, 1\.00 s, 3 spans, 1 error, 1,000 tokens in, 100 out, \$0\.00021$/)
    expect(lines).toEqual([
      'SPAN      SERVICE  DURATION  0 … 1.00 s                           DETAIL',
      'request   bot        1.00 s  ███████████████████████████████████',
      '  call    bot        400 ms     ██████████████                    1,000 in, 100 out, $0.00021, gpt-…',
      '  ✗ tool  tools      300 ms                       ███████████     no answer',
    ])
  })

  test('whose root is missing is shown by the spans that there are', async () => {
    const [title, , , , , ...lines] = await draw(ROOTLESS_ID)
    expect(title).toBe('lost (odd)')
    expect(lines[0]).toMatch(new RegExp(`^lost +odd +50\\.0 ms +█+ +parent ${idOf('gone')} is missing$`))
    expect(lines[1]).toMatch(/^ {2}below +odd +51\.0 ms +█+$/)
  })

  test('has colors on a terminal that may have them', async () => {
    const output = onTerminal(100)
    await writeTrace(repositories(), TRACE_ID, output)
    expect(output.stdout.text).toContain('\u001b[31m  ✗ tool\u001b[39m')
  })

  test.each([[TRACE_ID.toUpperCase()], ['--trace-id', TRACE_ID]])(
    'asked for by %j goes into a pipe as its spans in the order of the tree',
    async (...args) => {
      const { code, stdout } = await run('traces', ...args)
      const spans = linesOf(stdout).map((line) => JSON.parse(line))
      expect(code).toBe(0)
      expect(spans.map(({ name, depth }) => [name, depth])).toEqual([
        ['request', 0],
        ['call', 1],
        ['tool', 1],
      ])
      expect(spans[1].genAi).toMatchObject({ model: 'gpt-4o-mini', inputTokens: 1000 })
    },
  )
})

test.each<[string[], RegExp]>([
  [['spans', '--min-duration', 'long'], /^error: --min-duration must be a duration/],
  [['spans', '--status', 'broken'], /^error: --status must be one of unset, ok, error\n/],
  [['spans', '--trace-id', 'xyz'], /^error: --trace-id is not valid/],
  [['spans', '--from', 'yesterday'], /^error: --from must be a time/],
  [['spans', '--from', '-1h', '--to', '-2h'], /^error: --from must not be after to/],
  [['logs', '--level', 'loud'], /^error: --level must be one of trace/],
  [['logs', '--q', '-'], /^error: --q has no letter/],
  [['logs', '--contains', 'x'], /^error: --contains reads every record.*such as --from -1h;/],
  [['usage', '--by', 'planet'], /^error: --by must be any of model/],
  [['usage', '--step', '5 minutes'], /^error: --step must be a duration/],
  [['spans', '--attr', 'x'], /'--attr <key=value>' argument 'x' is invalid. Expected key=value/],
  [['spans', '--attr', 'x=1', '--attr', 'attr.x=2'], /Its key is given twice/],
  [
    ['spans', '--service', 'a', '--service', 'b'],
    /'--service <text>' argument 'b' is invalid. It is given twice/,
  ],
  [['spans', '--limit', '0'], /Expected a whole number above 0/],
  [['spans', '--format', 'xml'], /Allowed choices are table, ndjson, csv/],
  [['spans', '--json', '--format', 'csv'], /cannot be used with/],
  [['spans', '--level', 'warn'], /unknown option '--level'[\s\S]*observatory query spans --help/],
  [['traces', 'xyz'], /^error: --trace-id is not valid/],
  [
    ['traces', TRACE_ID, '--service', 'a', '--limit', '3'],
    /^error: --service, --limit: a trace is shown whole/,
  ],
  [['traces', TRACE_ID, '--format', 'csv'], /^error: --format csv .*query spans --trace-id/],
  [['traces', 'f'.repeat(32)], /^error: there is no trace f+;/],
  [['metrics', '--from', '-1h'], /^error: --from: only for the points of a metric/],
  [['everything'], /unknown command 'everything'/],
])(
  '%j is wrong usage: the exit code is 2 and the message has the flag as it is typed',
  async (args, told) => {
    const { code, stdout, stderr } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(told)
  },
)

test.each([[], ['traces'], ['spans'], ['logs'], ['metrics'], ['usage']])(
  'help of %j has a description and examples',
  async (...part) => {
    const { code, stdout, stderr } = await run(...part.filter((each) => typeof each === 'string'), '--help')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/\nExamples:\n {2}observatory query/)
  },
)

describe('a query that is ended', () => {
  const queries = async (which = 'true') => {
    const found = await app.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'observatory query'
         and state = 'active' and ${which}`,
    )
    return found.length
  }

  test('by Ctrl-C ends in the server within a second or so, exit code 1', async () => {
    await withPostgres(app.databaseUrl, async (locker) => {
      await locker.query('begin; lock table resources in access exclusive mode')
      const running = new RunningCommand(['query', 'logs'], { env: env(), cwd })
      await eventually(async () => expect(await queries()).toBe(1), { timeoutMs: 20_000 })
      running.child.kill('SIGINT')
      await eventually(async () => expect(await queries()).toBe(0), { timeoutMs: 1500 })
      expect(await running.finished).toEqual({
        code: 1,
        stdout: '',
        stderr: 'interrupted: there may be more\n',
      })
    })
  })

  test('by a reader that has had enough ends in the server, quietly, exit code 0', async () => {
    await app.query(`
      insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
        has_content, body_is_json, service, attributes, body)
      select time, time_unix_nano, resource_id, scope_id, entry_ms, n, 0, 1, false, false, 'bulk', '{}', repeat('x', 1000)
      from (select * from log_records limit 1) as one, generate_series(1, 2000) as n`)
    // Rows enough to fill the pipe, then one that takes an hour; above all joins, so that the ones before it come first.
    await app.query('create sequence calls')
    await app.query(`
      create function slow() returns boolean language plpgsql volatile as $$
      begin if nextval('calls') = 1500 then perform pg_sleep(3600); end if; return true; end $$`)
    await app.query('alter function log_rows rename to fast_log_rows')
    await app.query(`
      create function log_rows(since timestamptz, until timestamptz) returns setof log_view language sql stable as
      'select * from (select * from fast_log_rows(since, until) offset 0) as logs where slow()'`)
    try {
      // As `head` does it, only slower: it reads a line, and goes when the query has come to what takes an hour.
      const command = '"$NODE" "$LAUNCHER" query logs --service bulk; echo "code $?" >&2'
      const shell = spawn('sh', ['-c', `{ ${command}; } | { read -r line; sleep 3; }`], {
        cwd,
        env: { PATH: process.env.PATH, ...env(), NODE: process.execPath, LAUNCHER },
      })
      let told = ''
      shell.stderr.setEncoding('utf8').on('data', (text: string) => {
        told += text
      })
      const closed = once(shell, 'close')
      await eventually(async () => expect(await queries("wait_event = 'PgSleep'")).toBe(1), {
        timeoutMs: 20_000,
      })
      await eventually(async () => expect(await queries()).toBe(0), { timeoutMs: 4500 })
      await closed
      expect(told).toBe('code 0\n')
    } finally {
      await app.query('drop function log_rows')
      await app.query('alter function fast_log_rows rename to log_rows')
    }
  })

  test('never holds more than a little, however much there is', async () => {
    await app.query(`
      insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
        has_content, body_is_json, service, attributes, body)
      select time, time_unix_nano, resource_id, scope_id, entry_ms, n, 1, 1, false, false, 'heavy', '{}', repeat('y', 1000)
      from (select * from log_records limit 1) as one, generate_series(1, 60000) as n`)
    const limited = { ...env(), NODE_OPTIONS: '--max-old-space-size=48' }
    for (const format of ['ndjson', 'table']) {
      const args = ['query', 'logs', '--service', 'heavy', '--format', format]
      const { code, stdout } = await runObservatory(args, { env: limited, cwd })
      expect([format, code, linesOf(stdout).length]).toEqual([
        format,
        0,
        60_000 + (format === 'ndjson' ? 0 : 1),
      ])
    }
  })
})

test('a database that was never migrated is told as such', async () => {
  const { code, stderr } = await runObservatory(['query', 'logs'], {
    env: { DATABASE_URL: app.databaseUrl.replace(/\/[^/?]+(\?|$)/, '/postgres$1') },
    cwd,
  })
  expect([code, stderr]).toEqual([1, expect.stringMatching(/has no span_view: run "observatory migrate"/)])
})
