import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const SPANS = 1200
const TRACE_ID = 'abcdefabcdefabcdefabcdefabcdef01'

let test: TestService

beforeAll(async () => {
  test = await startTestService()
  const now = Date.now()
  const spans = Array.from({ length: SPANS }, (_, index) => ({
    traceId: index === 7 ? TRACE_ID : index.toString(16).padStart(32, '0').replace(/^0/, '1'),
    spanId: index.toString(16).padStart(16, '0').replace(/^0/, '1'),
    name: `span ${index}`,
    service: index % 2 === 0 ? 'even' : 'odd',
    startTime: new Date(now - index * 1000).toISOString(),
  }))
  await test.redis.xadd(`${test.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  for (const level of ['debug', 'info', 'warn', 'error', 'fatal']) {
    await test.redis.xadd(
      `${test.prefix}:logs`,
      '*',
      'service',
      'api',
      'level',
      level,
      'message',
      `a ${level}`,
    )
  }
  const metric = { name: 'queue.depth', type: 'gauge', unit: '{item}', value: 3, time: now, service: 'api' }
  await test.redis.xadd(`${test.prefix}:metrics`, '*', 'json', JSON.stringify(metric))
  await eventually(async () => {
    const [counts] = await test.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
              (select count(*)::int from metric_points) as points`,
    )
    expect(counts).toEqual({ spans: SPANS, logs: 5, points: 1 })
  })
})

afterAll(() => test?.close())

const json = async (path: string) =>
  (await (await test.get(path)).json()) as { data: Record<string, unknown>[] }

describe('the read API', () => {
  it('answers a page of JSON, newest first, 100 by default', async () => {
    const { data } = await json('/api/v1/spans')
    expect(data).toHaveLength(100)
    expect(data.map(({ name }) => name)).toEqual(Array.from({ length: 100 }, (_, index) => `span ${index}`))
  })

  it('streams every match as NDJSON, by format and by Accept', async () => {
    for (const [path, accept] of [
      ['/api/v1/spans?format=ndjson', '*/*'],
      ['/api/v1/spans', 'application/x-ndjson'],
    ] as const) {
      const response = await fetch(new URL(path, test.service.url), { headers: { accept } })
      expect(response.headers.get('content-type')).toContain('application/x-ndjson')
      const lines = (await response.text()).trimEnd().split('\n')
      expect(lines).toHaveLength(SPANS)
      expect(new Set(lines.map((line) => JSON.parse(line).spanId)).size).toBe(SPANS)
    }
  })

  it('answers an empty page when nothing matches', async () => {
    expect(await json('/api/v1/spans?service=nobody')).toEqual({ data: [], nextCursor: null })
    expect(await (await test.get('/api/v1/spans?service=nobody&format=ndjson')).text()).toBe('')
  })

  it('filters spans by trace, service, name and time', async () => {
    expect((await json(`/api/v1/spans?traceId=${TRACE_ID.toUpperCase()}`)).data).toMatchObject([
      { name: 'span 7' },
    ])
    const odd = (await json('/api/v1/spans?service=odd&limit=3')).data
    expect(odd.map(({ name }) => name)).toEqual(['span 1', 'span 3', 'span 5'])
    expect((await json('/api/v1/spans?name=span%209')).data).toMatchObject([{ service: 'odd' }])
    const last = (await json('/api/v1/spans?from=-90s&limit=1000')).data
    expect(last.length).toBeGreaterThan(60)
    expect(last.length).toBeLessThan(91)
    const boundary = String(last[10]?.startTimeUnixNano)
    expect((await json(`/api/v1/spans?from=${boundary}&limit=1000`)).data).toHaveLength(11)
    expect((await json(`/api/v1/spans?to=${boundary}&limit=1`)).data).toMatchObject([{ name: 'span 11' }])
  })

  it('filters log records by least level', async () => {
    const { data } = await json('/api/v1/logs?level=warn')
    expect(data.map(({ body }) => body).sort()).toEqual(['a error', 'a fatal', 'a warn'])
  })

  it('lists metric definitions, and the points of one', async () => {
    expect((await json('/api/v1/metrics')).data).toEqual([
      { name: 'queue.depth', type: 'gauge', unit: '{item}' },
    ])
    expect((await json('/api/v1/metrics/queue.depth/points')).data).toMatchObject([
      { value: 3, service: 'api' },
    ])
  })

  it.each([
    ['/api/v1/spans?servce=api', 'servce is not a parameter'],
    ['/api/v1/spans?limit=0', 'limit'],
    ['/api/v1/spans?limit=10001', 'format=ndjson'],
    ['/api/v1/spans?limit=1e300&format=ndjson', 'limit'],
    ['/api/v1/spans?traceId=xyz', 'traceId'],
    ['/api/v1/spans?from=yesterday', 'RFC 3339'],
    ['/api/v1/logs?level=loud', 'trace, debug, info'],
    ['/api/v1/spans?format=xml', 'format'],
  ])('refuses %s with a problem that names the parameter', async (path, detail) => {
    const response = await test.get(path)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(((await response.json()) as { detail: string }).detail).toContain(detail)
  })

  it('answers 404 as a problem for a route that is not there', async () => {
    const response = await test.get('/api/v2/spans')
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
  })

  it('says that it is alive and ready', async () => {
    expect((await test.get('/healthz')).status).toBe(200)
    expect(await (await test.get('/readyz')).json()).toEqual({ ready: true, problems: [] })
  })

  it('ends the query in the server when the client goes away, and gives the connection back', async () => {
    await test.query(`insert into spans select s.* from spans s, generate_series(1, 400)`)
    const gone = new AbortController()
    const response = await fetch(new URL('/api/v1/spans?format=ndjson', test.service.url), {
      signal: gone.signal,
    })
    await response.body?.getReader().read()
    gone.abort()
    await eventually(
      async () => {
        const active = await test.query(
          `select query from pg_stat_activity where datname = current_database() and state = 'active'
             and application_name = 'observatory:api'`,
        )
        expect(active).toEqual([])
      },
      { timeoutMs: 5000 },
    )
    // Whoever has the connection next is not cancelled in its place.
    for (let request = 0; request < 20; request += 1) {
      expect((await test.get('/api/v1/logs')).status).toBe(200)
    }
  })
})
