import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const RECORDS = 50_000

/** A service with so many log records that no buffer between it and a client has room for them. */
async function startWithRecords(env: Record<string, string>): Promise<TestService> {
  const app = await startTestService(env)
  await app.redis.xadd(`${app.prefix}:logs`, '*', 'service', 'api', 'message', 'x'.repeat(500))
  await eventually(async () => {
    expect(await app.query('select count(*)::int as count from log_records')).toEqual([{ count: 1 }])
  })
  await app.query(
    `insert into log_records select (jsonb_populate_record(l, jsonb_build_object('record_index', n))).*
       from log_records l, generate_series(2, ${RECORDS}) as n`,
  )
  return app
}

/** GETs and reads nothing yet. */
async function open(app: TestService, path: string) {
  const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const asked = request(new URL(path, app.service.url), { agent: false }, resolve)
    asked.once('error', reject)
    asked.end()
  })
  expect(answer.statusCode).toBe(200)
  return answer
}

const endQueries = (app: TestService) =>
  app.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'observatory:api'`,
  )

describe('an answer that is cut off', () => {
  let app: TestService
  beforeAll(async () => {
    app = await startWithRecords({ PAGE_MAX_ROWS: '50000' })
  })
  afterAll(() => app?.close())

  test('says so in a last line of NDJSON, and its connection ends without the end of the body', async () => {
    const answer = await open(app, '/api/v1/logs?format=ndjson')
    await sleep(200)
    await endQueries(app)
    let body = ''
    answer.on('data', (chunk) => {
      body += chunk
    })
    await expect(
      new Promise((resolve, reject) => answer.on('end', resolve).on('error', reject)),
    ).rejects.toThrow('aborted')
    const lines = body.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
      error: { status: 503, title: expect.any(String), detail: expect.stringContaining('try again') },
    })
    expect(JSON.parse(lines.at(-2) ?? '')).toHaveProperty('timeUnixNano')
  })

  test.each(['csv', 'json&limit=50000'])('as %s ends without the end of the body', async (format) => {
    const answer = await open(app, `/api/v1/logs?format=${format}`)
    await sleep(200)
    await endQueries(app)
    await expect(text(answer)).rejects.toThrow('aborted')
  })
})

describe('how long a query may take', () => {
  let app: TestService
  beforeAll(async () => {
    app = await startWithRecords({ QUERY_TIMEOUT_MS: '700' })
  })
  afterAll(() => app?.close())

  test('is the time of the server: a client that reads for longer has all of it', async () => {
    const answer = await open(app, '/api/v1/logs?format=ndjson')
    const startedAt = Date.now()
    let lines = 0
    for await (const chunk of answer) {
      lines += String(chunk).split('\n').length - 1
      if (Date.now() - startedAt < 2000) await sleep(50)
    }
    expect(Date.now() - startedAt).toBeGreaterThan(2000)
    expect(lines).toBe(RECORDS)
  })

  test.each(['json', 'ndjson', 'csv'])(
    'is over before the first row as %s: 504, and the query is ended',
    async (format) => {
      const locker = new pg.Client(app.databaseUrl)
      await locker.connect()
      await locker.query('begin; lock table resources in access exclusive mode')
      const answer = await app.get(`/api/v1/logs?format=${format}`)
      expect(answer.status).toBe(504)
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('QUERY_TIMEOUT_MS') })
      await eventually(
        async () => {
          const active = `select from pg_stat_activity where datname = current_database() and application_name = 'observatory:api' and state = 'active'`
          expect(await app.query(active)).toEqual([])
        },
        { timeoutMs: 2000 },
      )
      await locker.end()
    },
  )
})

describe('how many rows an answer may have', () => {
  let app: TestService
  beforeAll(async () => {
    app = await startTestService({ PAGE_MAX_ROWS: '3', EXPORT_MAX_ROWS: '5' })
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']
    await app.redis.xadd(
      `${app.prefix}:logs`,
      '*',
      'json',
      JSON.stringify(levels.map((level) => ({ level }))),
    )
    await eventually(async () => {
      expect(await app.query('select count(*)::int as count from log_records')).toEqual([
        { count: levels.length },
      ])
    })
  })
  afterAll(() => app?.close())

  test.each([
    ['logs?limit=4', 'PAGE_MAX_ROWS'],
    ['logs?format=ndjson', 'EXPORT_MAX_ROWS'],
    ['logs?format=csv&limit=6', 'EXPORT_MAX_ROWS'],
    ['logs/levels?format=ndjson', 'EXPORT_MAX_ROWS'],
    ['logs/levels?limit=4', 'PAGE_MAX_ROWS'],
  ])('is said when %s asks for more: %s', async (path, setting) => {
    const answer = await app.get(`/api/v1/${path}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      parameter: 'limit',
      detail: expect.stringContaining(setting),
    })
  })

  test('is never passed in silence: a page names the next one, a list says that it is cut', async () => {
    const page = await (await app.get('/api/v1/logs')).json()
    expect(page).toMatchObject({ data: { length: 3 }, nextCursor: expect.any(String) })
    const list = await (await app.get('/api/v1/logs/levels')).json()
    expect(list).toMatchObject({ data: { length: 3 }, isCut: true, nextCursor: null })
    const whole = await (await app.get('/api/v1/logs/levels?level=error')).json()
    expect(whole).toEqual({
      data: [
        { level: 'error', count: 1 },
        { level: 'fatal', count: 1 },
      ],
      nextCursor: null,
    })
  })
})

describe('a service that stops', () => {
  test('lets an answer that runs come to its end', async () => {
    const app = await startWithRecords({})
    const answer = await open(app, '/api/v1/logs?format=ndjson')
    const stopped = app.close()
    await sleep(300)
    const body = await text(answer)
    expect(body.split('\n')).toHaveLength(RECORDS + 1)
    await stopped
    await expect(app.get('/healthz')).rejects.toThrow()
  })

  test('cuts one off that takes longer than stopping may', async () => {
    const app = await startWithRecords({ SHUTDOWN_TIMEOUT_MS: '6000' })
    const answer = await open(app, '/api/v1/logs?format=ndjson')
    const startedAt = Date.now()
    await app.close()
    expect(Date.now() - startedAt).toBeGreaterThan(3000)
    expect(Date.now() - startedAt).toBeLessThan(6000)
    await expect(text(answer)).rejects.toThrow('aborted')
  })
})
