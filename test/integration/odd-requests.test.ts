import { once } from 'node:events'
import { get, request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const RECORDS = 30_000
let app: TestService
beforeAll(async () => {
  app = await startTestService({ DATABASE_POOL_MAX: '3' })
  await app.redis.xadd(`${app.prefix}:logs`, '*', 'service', 'api', 'message', `boom ${'x'.repeat(500)}`)
  await eventually(async () => {
    expect(await app.query('select count(*)::int as count from log_records')).toEqual([{ count: 1 }])
  })
  await app.query(`insert into log_records select l.* from log_records l, generate_series(2, ${RECORDS})`)
})
afterAll(() => app?.close())

async function ask(path: string) {
  const answer = await app.get(`/api/v1/${path}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

const apiQueries = async () => {
  const [row] = await app.query<{ count: number }>(
    `select count(*)::int from pg_stat_activity where datname = current_database()
       and application_name = 'observatory:api' and state = 'active'`,
  )
  return row?.count
}

describe('what cannot be meant is refused, and the parameter named', () => {
  test.each([
    ['spans?limit=0', 'limit'],
    ['spans?limit=-1', 'limit'],
    ['spans?limit=1e9', 'limit'],
    ['spans?limit=1.5', 'limit'],
    ['spans?limit=many', 'limit'],
    ['logs/levels?limit=1000000000', 'limit'],
    ['spans?from=10000-01-01T00:00:00Z', 'from'],
    ['spans?from=9999-12-31T23:59:59Z', 'from'],
    ['spans?from=yesterday', 'from'],
    ['spans?to=-99999999999999999d', 'to'],
    ['spans?cursor=%27%3B%20drop%20table%20spans', 'cursor'],
    ['spans?cursor=AAAA', 'cursor'],
    ['spans?traceId=abc', 'traceId'],
    [`spans?traceId=${'a'.repeat(33)}`, 'traceId'],
    ['spans?spanId=0', 'spanId'],
    ['spans?status=fine', 'status'],
    ['spans?kind=robot', 'kind'],
    ['spans?minDuration=-1ms', 'minDuration'],
    ['logs?level=loud', 'level'],
    ['logs?order=random', 'order'],
    ['logs?format=xml', 'format'],
    ['traces/stats?by=secret', 'by'],
    ['traces/stats?step=0s', 'step'],
    [`logs?q=${'a'.repeat(1025)}`, 'q'],
    ['metrics/x/query?agg=explode', 'agg'],
    ['spans?service=a&service=b', 'service'],
  ])('%s', async (path, parameter) => {
    const { status, body } = await ask(path)
    expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter })
    expect(body.detail).toContain(parameter)
  })
})

test.each([
  ['spans?from=2026-01-02&to=2026-01-01', 'from must not be after to'],
  ['spans?from=10000-01-01T00:00:00Z', 'from must be a time between 1678 and 2262'],
  ['spans?status=fine', 'status must be one of unset, ok, error'],
  ['logs?format=xml', 'format must be one of json, ndjson, csv, parquet'],
  ['spans?traceId=abc', 'traceId is not valid: Trace id, 32 hex digits.'],
  ['spans?service=%00', 'service must have no NUL character'],
  ['spans?attr.a/b=1&attr.a/b=2', 'attr.a/b must be given once'],
  ['spans?attr.gen_ai.input.messages=x', 'attr.gen_ai.input.messages is what was said to a model'],
  ['spans?limit=0', 'limit must be >= 1'],
  ['dependencies?colour=red', 'not a parameter of this route: those are from, to, limit, format, service'],
  ['spans?colour=red', 'cursor, attr.<name>'],
  [
    `traces/${'a'.repeat(32)}/spans/${'a'.repeat(16)}?colour=red`,
    'colour is not a parameter of this route: it has none',
  ],
])('%s is told what would be right', async (path, right) => {
  const { status, body } = await ask(path)
  expect({ status, detail: body.detail }).toEqual({ status: 400, detail: expect.stringContaining(right) })
})

describe('what only looks dangerous is answered', () => {
  const hostile = [
    `'; drop table spans; --`,
    `" or 1=1 --`,
    `$1`,
    `%s%s%s`,
    `(a+)+$`,
    `${'(a*)*'.repeat(50)}b`,
    `\\`,
    `\u202e\u0007`,
    `{{7*7}}`,
    `:*&|!()<->`,
  ]
  test.each([
    'service',
    'name',
    'environment',
    'user',
    'session',
    'model',
    'attr.x',
    "attr.'; drop table spans; --",
  ])('in %s', async (word) => {
    for (const value of hostile) {
      const { status, body } = await ask(`spans?${new URLSearchParams({ [word]: value })}`)
      expect({ value, status, data: body.data }).toEqual({ value, status: 200, data: [] })
    }
  })

  test('in a search', async () => {
    for (const value of hostile) {
      const { status } = await ask(`logs?${new URLSearchParams({ q: `${value} boom` })}`)
      expect([200, 400], value).toContain(status)
      expect(
        await ask(`logs?${new URLSearchParams({ contains: value, from: '-1h', limit: '1' })}`),
      ).toMatchObject({ status: 200 })
    }
  })

  test('in labels of a metric', async () => {
    for (const value of hostile) {
      expect((await ask(`metrics/x/query?${new URLSearchParams({ by: value })}`)).status).toBe(404)
    }
  })

  test('a time range in the future is empty', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
    expect(await ask(`logs?from=${tomorrow}`)).toMatchObject({ status: 200, body: { data: [] } })
  })
})

test('100 kB of filters are refused before they are read', async () => {
  const answer = await app.get(`/api/v1/spans?${new URLSearchParams({ 'attr.x': 'y'.repeat(100_000) })}`)
  expect(answer.status).toBe(431)
  const many = Array.from({ length: 300 }, (_, index) => `attr.a${index}=v`).join('&')
  expect((await app.get(`/api/v1/spans?${many}`)).status).toBe(200)
})

describe('methods', () => {
  test('HEAD has the headers of GET, and reads nothing for them', async () => {
    const asked = request(new URL('/api/v1/logs?format=ndjson', app.service.url), {
      method: 'HEAD',
      agent: false,
    })
    asked.end()
    const [answer] = await once(asked, 'response')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toContain('application/x-ndjson')
    answer.resume()
    await once(answer, 'end')
    await eventually(async () => expect(await apiQueries()).toBe(0), { timeoutMs: 1000 })
  })

  test.each(['POST', 'PUT', 'DELETE'])('%s is none of a query', async (method) => {
    const headers = { 'content-type': 'application/json' }
    const body = '{'.repeat(10)
    for (const path of ['/api/v1/logs?limit=1', `/api/v1/traces/${'a'.repeat(32)}`, '/metrics', '/']) {
      const answer = await fetch(new URL(path, app.service.url), { method, headers, body })
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD'])
      expect(await answer.json()).toMatchObject({ status: 405, detail: expect.stringContaining('GET, HEAD') })
    }
    expect((await fetch(new URL('/api/v1/nothing', app.service.url), { method })).status).toBe(404)
  })

  test('OPTIONS is told which there are', async () => {
    const answer = await fetch(new URL('/api/v1/logs', app.service.url), { method: 'OPTIONS' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([204, 'GET, HEAD'])
  })
})

describe('a thousand clients', () => {
  test('that ask and leave take nothing with them', async () => {
    for (let batch = 0; batch < 10; batch += 1) {
      const asked = Array.from({ length: 100 }, () => {
        const one = get(new URL('/api/v1/logs?format=ndjson', app.service.url), { agent: false })
        one.on('error', () => undefined)
        return one
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const one of asked) one.destroy()
    }
    await eventually(async () => expect(await apiQueries()).toBe(0), { timeoutMs: 5000 })
    expect((await ask('logs?limit=1')).status).toBe(200)
  })

  test('that connect and say nothing keep nobody out', async () => {
    const { hostname, port } = new URL(app.service.url)
    const sockets = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const socket = connect({ host: hostname, port: Number(port) })
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        return socket
      }),
    )
    expect((await ask('logs?limit=1')).status).toBe(200)
    for (const socket of sockets) socket.destroy()
  })
})
