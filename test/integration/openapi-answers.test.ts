import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

type Json = Readonly<Record<string, unknown>>
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>
  readonly components: { readonly schemas: Json; readonly responses: Responses }
}
type Responses = Readonly<
  Record<string, { readonly $ref?: string; readonly content?: Readonly<Record<string, { schema?: Json }>> }>
>

const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2'
const SPAN_ID = '051581bf3cb55c13'
const NOW = BigInt(Date.now()) * 1_000_000n
const at = (ms: number) => String(NOW - 60_000_000_000n + BigInt(ms) * 1_000_000n)

let app: TestService
let document: Document
let ajv: Ajv2020

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  document = (await (await app.get('/openapi.json')).json()) as Document
  ajv = new Ajv2020({ allowUnionTypes: true, formats: { uuid: true, 'date-time': true } })
  ajv.addSchema({ $id: 'all', $defs: forTests(document.components.schemas) })
  await store()
})
afterAll(() => app?.close())

/** As components are referred to here, and closed: a member that is in no schema is an error in these tests, and for a client only something new. */
function forTests(schema: unknown): Json {
  return JSON.parse(JSON.stringify(schema), (key, value) => {
    if (key === '$ref') return String(value).replace('#/components/schemas/', 'all#/$defs/')
    const isOpen = value?.properties !== undefined && value.additionalProperties === undefined
    return isOpen && (value.type === 'object' || value.type?.[0] === 'object')
      ? { ...value, additionalProperties: false }
      : value
  })
}

async function store(): Promise<void> {
  const said = (role: string, content: string) =>
    JSON.stringify([{ role, parts: [{ type: 'text', content }] }])
  const tools = [
    { type: 'tool_call', id: 'c1', name: 'look_up', arguments: { q: 'x' } },
    { type: 'tool_call_response', id: 'c1', response: 'y' },
    { type: 'uri', uri: 'https://example.com/a.png' },
  ]
  const origin = {
    resource: {
      attributes: { 'service.name': 'bot', 'deployment.environment.name': 'test' },
      schemaUrl: 'https://s',
    },
    scope: { name: 'sdk', version: '1', schemaUrl: 'https://s', attributes: { a: 1 } },
  }
  const result = { 'gen_ai.evaluation.name': 'relevance', 'gen_ai.evaluation.score.value': 0.5 }
  const judged = { ...result, 'gen_ai.evaluation.score.label': 'pass', 'gen_ai.evaluation.explanation': 'e' }
  const call = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.response.model': 'gpt-4o',
    'gen_ai.usage.input_tokens': 1200,
    'gen_ai.usage.output_tokens': 85,
    'gen_ai.usage.cache_read.input_tokens': 3,
    'gen_ai.usage.reasoning.output_tokens': 3,
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.response.id': 'r1',
    'gen_ai.conversation.id': 's1',
    'gen_ai.prompt.name': 'p',
    'gen_ai.prompt.version': '1',
    'user.id': 'u1',
    'gen_ai.input.messages': JSON.stringify([
      ...JSON.parse(said('user', 'question')),
      { role: 'assistant', parts: tools },
    ]),
    'gen_ai.output.messages': said('assistant', 'answer'),
  }
  const span = (spanId: string, ms: number, more: object) => ({
    ...{ traceId: TRACE_ID, spanId, name: 'step', startTimeUnixNano: at(ms), durationMs: 12, kind: 'client' },
    ...more,
  })
  await add(
    'traces',
    span('0000000000000001', 0, {
      ...origin,
      traceState: 'a=b',
      flags: 1,
      events: [{ timeUnixNano: at(1), name: 'e', attributes: { big: null }, droppedAttributesCount: 1 }],
      links: [{ traceId: TRACE_ID, spanId: SPAN_ID, traceState: 'a=b', flags: 1, droppedAttributesCount: 1 }],
      ...{ droppedAttributesCount: 1, droppedEventsCount: 2, droppedLinksCount: 3 },
    }),
    span(SPAN_ID, 1, {
      parentSpanId: '0000000000000001',
      service: 'gateway',
      status: { code: 'error', message: 'm' },
      attributes: call,
      events: [{ timeUnixNano: at(2), name: 'gen_ai.evaluation.result', attributes: judged }],
    }),
    { traceId: 'f'.repeat(32), spanId: 'f'.repeat(16), name: 'bare', startTimeUnixNano: at(5) },
    { name: 'refused' },
  )
  const logEvent = { eventName: 'gen_ai.evaluation.result', service: 'judge' }
  await add(
    'logs',
    { ...origin, timeUnixNano: at(1), level: 'warn', body: 'hello', traceId: TRACE_ID, spanId: SPAN_ID },
    { body: { deep: [1, null] }, observedTimeUnixNano: at(3), flags: 1, droppedAttributesCount: 2 },
    { ...logEvent, attributes: { ...result, 'gen_ai.response.id': 'r1' } },
    { ...logEvent, attributes: { ...result, 'error.type': 'timeout' }, traceId: TRACE_ID },
    {},
  )
  const point = (type: string, more: object) => ({
    ...origin,
    name: type,
    type,
    timeUnixNano: at(9),
    ...more,
  })
  const buckets = { offset: 1, bucketCounts: [1, 2] }
  const exemplars = [
    { timeUnixNano: at(8), value: 1.5, traceId: TRACE_ID, spanId: SPAN_ID, filteredAttributes: { a: 1 } },
  ]
  const statistics = { count: 3, sum: 6, min: 1, max: 3 }
  await add(
    'metrics',
    point('gauge', { value: 'NaN', unit: '1', description: 'd', attributes: { zone: 'a' }, exemplars }),
    point('counter', { value: 3, startTimeUnixNano: at(1), flags: 0 }),
    point('updowncounter', { value: 2.5 }),
    point('histogram', { ...statistics, explicitBounds: [1, 2], bucketCounts: [1, 1, 1] }),
    point('exponentialHistogram', {
      ...{ ...statistics, scale: 0, zeroCount: 0, zeroThreshold: 0, positive: buckets },
      negative: { offset: 0, bucketCounts: [] },
    }),
    point('summary', { count: 3, sum: 6, quantiles: [{ quantile: 0.5, value: 2 }] }),
  )
  await eventually(async () => {
    const [counts] = await app.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
              (select count(*)::int from metric_points) as points, (select count(*)::int from dead_letters) as letters,
              (select count(*)::int from evaluations) as evaluations`,
    )
    expect(counts).toEqual({ spans: 3, logs: 5, points: 6, letters: 1, evaluations: 3 })
  })
}

async function add(signal: string, ...records: object[]): Promise<void> {
  await app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', JSON.stringify(records))
}

function validatorOf(responses: Responses | undefined, status: number, type: string): ValidateFunction {
  const response = responses?.[status]
  const shared = response?.$ref && document.components.responses[response.$ref.split('/').at(-1) ?? '']
  const schema = (shared || response)?.content?.[type]?.schema
  expect(schema, `${status} ${type}`).toBeDefined()
  return ajv.compile(forTests(schema))
}

async function check(path: string, url: string, status: number): Promise<unknown> {
  const answer = await app.get(url)
  expect([url, answer.status]).toEqual([url, status])
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const validate = validatorOf(document.paths[path]?.get?.responses, status, type)
  const body = /[/+]json$/.test(type) ? await answer.json() : await answer.text()
  expect(validate(body), `${url} ${ajv.errorsText(validate.errors)}`).toBe(true)
  return body
}

/** What is asked for of routes that can tell more, or need a name. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  '/api/v1/metrics/{name}/points': ['gauge', 'counter', 'updowncounter', 'histogram', 'summary'].map(
    (name) => `/api/v1/metrics/${name}/points`,
  ),
  '/api/v1/metrics/{name}/latest': ['/api/v1/metrics/exponentialHistogram/latest'],
  '/api/v1/metrics/{name}/query': [
    '/api/v1/metrics/gauge/query?by=zone,service&agg=avg,count',
    '/api/v1/metrics/counter/query?step=1m&by=zone',
    '/api/v1/metrics/histogram/query?step=1m&agg=p50,count',
  ],
  '/api/v1/sessions/{id}': ['/api/v1/sessions/s1'],
  '/api/v1/traces/{traceId}': [`/api/v1/traces/${TRACE_ID}`, `/api/v1/traces/${'f'.repeat(32)}`],
  '/api/v1/traces/{traceId}/spans/{spanId}': [`/api/v1/traces/${TRACE_ID}/spans/${SPAN_ID}`],
  '/api/v1/dead-letters': ['/api/v1/dead-letters?payload=true'],
  '/api/v1/llm/usage': [
    '/api/v1/llm/usage?step=1h',
    '/api/v1/llm/usage?by=model,provider,service,environment,operation,prompt,promptVersion,user,session,finishReason,errorType',
  ],
  '/api/v1/traces/stats': [
    `/api/v1/traces/stats?by=service,environment,name,kind,status,operation,provider,model&step=1h&to=${at(3_600_000)}`,
    '/api/v1/traces/stats?by=&to=-10w',
  ],
  '/api/v1/metrics/stats': [
    '/api/v1/metrics/stats?by=name,type,unit,service,environment',
    '/api/v1/metrics/stats?by=&to=-10w',
  ],
  '/api/v1/logs/levels': ['/api/v1/logs/levels?by=level,service,environment,eventName&step=1h'],
  '/api/v1/evaluations/stats': [
    '/api/v1/evaluations/stats',
    '/api/v1/evaluations/stats?by=model,provider,prompt,promptVersion,service,operation,evaluator,user,session',
  ],
  '/api/v1/spans': ['/api/v1/spans', '/api/v1/spans?limit=1', '/api/v1/spans?format=csv'],
  '/api/v1/logs': ['/api/v1/logs', '/api/v1/logs?format=csv', '/api/v1/logs?format=ndjson'],
  '/api/v1/services': ['/api/v1/services', '/api/v1/services?limit=1'],
}

describe('what the OpenAPI document says of answers holds', () => {
  test('of every route that can be read, each with data', async () => {
    // A tail does not end: what it answers is compared with the lists in its own tests.
    const paths = Object.keys(document.paths).filter(
      (path) => document.paths[path]?.get !== undefined && !path.endsWith('/tail'),
    )
    expect(paths.length).toBeGreaterThan(20)
    for (const path of paths) {
      for (const url of QUERIES[path] ?? [path]) {
        const body = (await check(path, url, 200)) as { data?: unknown[] }
        if (body.data !== undefined) expect(body.data.length, url).toBeGreaterThan(0)
      }
    }
  })

  test('of one trace and one session, with all that is said of them', async () => {
    const trace = await check('/api/v1/traces/{traceId}', `/api/v1/traces/${TRACE_ID}`, 200)
    expect(trace).toMatchObject({
      evaluations: [{ errorType: 'timeout' }],
      spans: [
        { depth: 0, links: [{ traceState: 'a=b' }] },
        { depth: 1, genAi: { model: 'gpt-4o' }, evaluations: [{}, {}], conversation: { output: [{}] } },
      ],
    })
    const parts = (trace as { spans: { conversation: { input: { parts: { type: string }[] }[] } }[] })
      .spans[1]
    expect(parts?.conversation.input[1]?.parts.map(({ type }) => type)).toEqual([
      'tool_call',
      'tool_call_response',
      'other',
    ])
    expect(await check('/api/v1/sessions/{id}', '/api/v1/sessions/s1', 200)).toMatchObject({
      turns: [{ input: { role: 'user' }, output: { role: 'assistant' } }],
    })
  })

  test('of lines of NDJSON', async () => {
    for (const [path, name] of [
      ['/api/v1/spans', 'Span'],
      ['/api/v1/logs', 'LogRecord'],
      ['/api/v1/metrics/exponentialHistogram/points', 'DataPoint'],
      ['/api/v1/sessions/s1', 'Turn'],
      ['/api/v1/evaluations', 'Evaluation'],
    ] as const) {
      const lines = (await (await app.get(`${path}?format=ndjson`)).text()).trimEnd().split('\n')
      const validate = ajv.compile(forTests({ $ref: `#/components/schemas/${name}` }))
      for (const line of lines)
        expect(validate(JSON.parse(line)), `${line} ${ajv.errorsText(validate.errors)}`).toBe(true)
    }
  })

  test('of CSV: a column for every member of the lines of NDJSON, and in it what that says', async () => {
    const lists = Object.keys(document.paths).filter((path) => {
      const { content = {} } = document.paths[path]?.get?.responses['200'] ?? {}
      // Of records, and so of the newest points, CSV has other columns.
      return content['text/csv'] && !content['application/vnd.apache.parquet'] && !path.endsWith('/latest')
    })
    expect(lists.length).toBeGreaterThan(12)
    for (const path of lists) {
      const url = new URL(QUERIES[path]?.[0] ?? path, app.service.url)
      const read = async (format: string) => {
        url.searchParams.set('format', format)
        return (await (await fetch(url)).text()).trimEnd()
      }
      const lines = (await read('ndjson')).split('\n').map((line) => JSON.parse(line) as Json)
      const rows = parse(await read('csv'), { columns: true }) as Readonly<Record<string, string>>[]
      expect([path, rows.length]).toEqual([path, lines.length])
      rows.forEach((row, index) => {
        // Of a time series a label is a column.
        const { labels, ...members } = lines[index] ?? {}
        const others = path.endsWith('/query') ? (labels as Json) : labels === undefined ? {} : { labels }
        const columns = new Set(Object.keys(row).map((name) => name.split('.')[0]))
        for (const [name, value] of Object.entries({ ...members, ...others })) {
          expect([path, name, columns.has(name)]).toEqual([path, name, true])
          const text = row[name] ?? ''
          if (typeof value === 'number') expect([path, name, Number(text)]).toEqual([path, name, value])
          else if (typeof value !== 'object') expect([path, name, text]).toEqual([path, name, String(value)])
        }
      })
    }
  })

  test('of CSV: its first line', async () => {
    const [head] = (await (await app.get('/api/v1/logs?format=csv')).text()).split('\r\n')
    const { content } = document.paths['/api/v1/logs']?.get?.responses['200'] ?? {}
    expect(content?.['text/csv']?.schema?.description).toContain(head?.replaceAll(',', ', '))
  })

  test('of problems', async () => {
    await check('/api/v1/spans', '/api/v1/spans?kind=none', 400)
    await check('/api/v1/llm/usage', '/api/v1/llm/usage?by=colour', 400)
    await check('/api/v1/traces/{traceId}', `/api/v1/traces/${'0'.repeat(31)}1`, 404)
    await check('/api/v1/sessions/{id}', '/api/v1/sessions/none', 404)
    await check('/api/v1/metrics/{name}/query', '/api/v1/metrics/none/query', 404)
  })

  test('of export requests', async () => {
    const url = new URL('/v1/logs', app.service.url)
    const responses = document.paths['/v1/logs']?.post?.responses
    const refused = { timeUnixNano: '1', body: { stringValue: 'long ago' } }
    for (const [status, type, body] of [
      [200, 'application/json', '{}'],
      [
        200,
        'application/json',
        JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [refused] }] }] }),
      ],
      [400, 'application/json', '{'],
      [415, 'text/plain', ''],
    ] as const) {
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body })
      expect(answer.status).toBe(status)
      const validate = validatorOf(responses, status, 'application/json')
      expect(validate(await answer.json()), ajv.errorsText(validate.errors)).toBe(true)
    }
  })
})
