import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let test: TestService
const lines: string[] = []
beforeAll(async () => {
  test = await startTestService(
    { STATEMENT_TIMEOUT_MS: '3000', DATABASE_POOL_MAX: '2' },
    { log: (line) => lines.push(line) },
  )
  await test.redis.xadd(`${test.prefix}:logs`, '*', 'service', 'api', 'message', 'x'.repeat(500))
  await eventually(async () => {
    expect(await test.query('select count(*)::int as count from log_records')).toEqual([{ count: 1 }])
  })
})
afterAll(() => test?.close())

interface Problem {
  readonly status: number
  readonly detail: string
  readonly parameter?: string
}

async function problemOf(path: string): Promise<{ response: Response; problem: Problem }> {
  const response = await test.get(path)
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  const problem = (await response.json()) as Problem
  expect(problem.status).toBe(response.status)
  return { response, problem }
}

describe.each(['json', 'ndjson'])('a query that fails before its first row, format %s', (format) => {
  const path = `/api/v1/logs?format=${format}`

  it('is 504 when it ran longer than it may', async () => {
    const locker = new pg.Client(test.databaseUrl)
    await locker.connect()
    await locker.query('begin; lock table resources in access exclusive mode')
    const { response, problem } = await problemOf(path).finally(() => locker.end())
    expect(response.status).toBe(504)
    expect(problem.detail).toContain('STATEMENT_TIMEOUT_MS')
    // It passes by itself: no error of the service.
    const told = lines.map((line) => JSON.parse(line)).filter(({ url }) => url === path)
    expect(told.at(-1)).toMatchObject({ level: 'warn', msg: 'a request could not be answered now' })
    expect((await test.get(path)).status).toBe(200)
  })

  it('is 503, with the time to come again, when the connection is lost', async () => {
    const locker = new pg.Client(test.databaseUrl)
    await locker.connect()
    await locker.query('begin; lock table resources in access exclusive mode')
    const answer = problemOf(path)
    await eventually(async () => {
      const ended = await test.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
           and application_name = 'observatory:api' and wait_event_type = 'Lock'`,
      )
      expect(ended).toHaveLength(1)
    })
    const { response } = await answer.finally(() => locker.end())
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
  })

  it('is 500 when the database is not as it must be, and does not tell what it is', async () => {
    await test.query(
      'alter view log_view rename to log_view_away; alter function log_rows rename to log_rows_away',
    )
    const { response, problem } = await problemOf(path).finally(() =>
      test.query(
        'alter view log_view_away rename to log_view; alter function log_rows_away rename to log_rows',
      ),
    )
    expect(response.status).toBe(500)
    expect(JSON.stringify(problem)).not.toMatch(/log_view|log_rows/)
  })
})

describe('an answer that has begun', () => {
  it('is cut, and never ended politely, when its query fails', async () => {
    await test.query(`insert into log_records select l.* from log_records l, generate_series(1, 50000)`)
    // Compressed, all of it would be on its way at once.
    const response = await fetch(new URL('/api/v1/logs?format=ndjson', test.service.url), {
      headers: { 'accept-encoding': 'identity' },
    })
    expect(response.status).toBe(200)
    const reader = response.body?.getReader()
    await reader?.read()
    await test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'observatory:api'`,
    )
    const readAll = async () => {
      while (!(await reader?.read())?.done);
    }
    await expect(readAll()).rejects.toThrow()
    await test.query('delete from log_records where ctid > (select min(ctid) from log_records)')
  })
})

describe('a request that cannot be one', () => {
  it.each([
    ['/api/v1/spans?service=a%00b', 'service'],
    ['/api/v1/spans?name=a%00b', 'name'],
    ['/api/v1/logs?service=%00', 'service'],
    ['/api/v1/metrics?name=%00', 'name'],
    ['/api/v1/metrics/a%00b/points', 'name'],
    ['/api/v1/spans?traceId=xyz', 'traceId'],
    ['/api/v1/spans?from=%00', 'from'],
    ['/api/v1/logs?level=%00', 'level'],
    ['/api/v1/spans?servce=api', 'servce'],
  ])('%s is refused, and %s named', async (path, parameter) => {
    const { response, problem } = await problemOf(path)
    expect(response.status).toBe(400)
    expect(problem).toMatchObject({ parameter, detail: expect.stringContaining(parameter) })
  })

  it('is refused as a problem when its path cannot be decoded or its parameter is too long', async () => {
    expect((await problemOf('/api/v1/metrics/%E0/points')).response.status).toBe(400)
    expect((await problemOf('/api/v1/metrics/%ED%A0%80/points')).response.status).toBe(400)
    expect((await problemOf(`/api/v1/metrics/${'n'.repeat(1025)}/points`)).response.status).toBe(414)
    // No lone surrogate comes out of a query: what cannot be decoded stays as it is.
    expect(await (await test.get('/api/v1/logs?service=%ED%A0%80')).json()).toMatchObject({ data: [] })
    expect((await test.get(`/api/v1/metrics/${'%C3%A9'.repeat(1024)}/points`)).status).toBe(200)
  })

  it.each([
    [
      'a URL that is too long',
      `GET /api/v1/logs?service=${'x'.repeat(20_000)} HTTP/1.1\r\nHost: h\r\n\r\n`,
      431,
    ],
    [
      'a header that is too long',
      `GET /healthz HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ['what is not HTTP', 'EHLO\r\n\r\n', 400],
  ])('is answered as a problem when it is %s, and the connection closed', async (_what, request, status) => {
    const answer = await sendRaw(request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('Content-Type: application/problem+json; charset=utf-8\r\n')
    const [, body = ''] = answer.split('\r\n\r\n')
    expect(JSON.parse(body)).toMatchObject({ status, detail: expect.any(String) })
  })

  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  /** What comes until the server closes the connection. */
  async function sendRaw(request: string): Promise<string> {
    const { port, hostname } = new URL(test.service.url)
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(request)
    return text(socket)
  }
})
