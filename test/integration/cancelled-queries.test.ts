import { once } from 'node:events'
import { get } from 'node:http'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createPool, poolStats } from '../../src/pool.ts'
import { streamRows } from '../../src/repositories/stream-rows.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/** Connections for queries. */
const POOL_SIZE = 3

describe('clients of the API that go away', () => {
  let test: TestService
  beforeAll(async () => {
    test = await startTestService({ DATABASE_POOL_MAX: String(POOL_SIZE) })
  })
  afterAll(() => test?.close())

  const blocked = async () => {
    const [row] = await test.query<{ count: number }>(
      `select count(*)::int from pg_stat_activity where datname = current_database()
         and application_name = 'observatory:api' and state = 'active' and wait_event_type = 'Lock'`,
    )
    return row?.count
  }

  it('give all connections back within a second though more of them wait for one', async () => {
    const locker = new pg.Client(test.databaseUrl)
    await locker.connect()
    await locker.query('begin; lock table resources in access exclusive mode')
    try {
      const requests = Array.from({ length: POOL_SIZE + 4 }, () => {
        const request = get(new URL('/api/v1/logs?format=ndjson', test.service.url))
        return request.on('error', () => undefined)
      })
      await eventually(async () => expect(await blocked()).toBe(POOL_SIZE))
      // The others come to the pool while it has nothing left.
      await sleep(200)
      for (const request of requests) request.destroy()
      await eventually(async () => expect(await blocked()).toBe(0), { timeoutMs: 2000 })
      // Nor does the query of one that waited begin when its turn has come.
      await sleep(300)
      expect(await blocked()).toBe(0)
    } finally {
      await locker.end()
    }
    expect((await test.get('/api/v1/logs')).status).toBe(200)
  })
})

describe('queries and ingest', () => {
  let test: TestService
  let locker: pg.Client
  beforeAll(async () => {
    test = await startTestService({ DATABASE_POOL_MAX: String(POOL_SIZE), BATCH_MAX_AGE_MS: '5' })
    locker = new pg.Client(test.databaseUrl)
    await locker.connect()
  })
  afterAll(async () => {
    await locker?.end()
    await test?.close()
  })

  const waiting = async (name: string) =>
    (
      await test.query(
        `select from pg_stat_activity where datname = current_database() and application_name = $1 and wait_event_type = 'Lock'`,
        [name],
      )
    ).length
  const send = (message: string) => test.redis.xadd(`${test.prefix}:logs`, '*', 'message', message)
  const count = async () =>
    (await test.query<{ n: number }>('select count(*)::int as n from log_records'))[0]?.n

  it('do not wait for each other: ingest goes on though all connections of queries are taken', async () => {
    await locker.query('begin; lock table metrics in access exclusive mode')
    const answers = Array.from({ length: POOL_SIZE + 4 }, () => test.get('/api/v1/metrics'))
    await eventually(async () => expect(await waiting('observatory:api')).toBe(POOL_SIZE))
    await send('boom')
    await eventually(async () => expect(await count()).toBe(1))
    await locker.query('rollback')
    for (const answer of answers) expect((await answer).status).toBe(200)
  })

  it('do not wait for each other: queries are answered though nothing can be written', async () => {
    const before = await count()
    await locker.query('begin; lock table log_records in share mode')
    for (let index = 0; index < 50; index += 1) await send('late')
    await eventually(async () => expect(await waiting('observatory:ingest')).toBeGreaterThan(0))
    expect((await test.get('/api/v1/logs')).status).toBe(200)
    await locker.query('rollback')
    await eventually(async () => expect(await count()).toBe((before ?? 0) + 50))
  })
})

describe('a stream of rows', () => {
  let databaseUrl: string
  beforeAll(async () => {
    databaseUrl = (await createTestDatabase()).databaseUrl
  })
  let pool: pg.Pool
  afterEach(() => pool.end())

  function openPool(url = databaseUrl): pg.Pool {
    const options = { databaseUrl: url, applicationName: 'rows test', max: 1, onError: () => undefined }
    pool = createPool(options)
    return pool
  }

  function stream(text: string, signal = new AbortController().signal): Promise<Readable> {
    return streamRows(pool, { text, values: [] }, signal)
  }

  /** Resolves when the server runs the query. */
  async function running(rows: Readable): Promise<void> {
    rows.resume()
    await eventually(async () => {
      const text = `select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
      expect((await withPostgres(databaseUrl, (client) => client.query(text))).rowCount).toBe(1)
    })
  }

  it('that ended leaves its connection to the next one', async () => {
    openPool()
    const pids = []
    for (let query = 0; query < 3; query += 1) {
      for await (const [pid] of await stream('select pg_backend_pid()')) pids.push(pid)
    }
    expect(new Set(pids).size).toBe(1)
  })

  it('that is destroyed ends its query in the server, and its connection is not used again', async () => {
    openPool()
    const [pid] = (await pool.query('select pg_backend_pid() as pid')).rows
    const rows = await stream('select pg_sleep(60)')
    await running(rows)
    rows.destroy()
    await eventually(() => expect(poolStats(pool).total).toBe(0), { timeoutMs: 2000 })
    await eventually(
      async () => {
        const text = 'select state from pg_stat_activity where pid = $1'
        const left = await withPostgres(databaseUrl, (client) => client.query(text, [pid?.pid]))
        expect(left.rows).toEqual([])
      },
      { timeoutMs: 2000 },
    )
  })

  it('whose cancel gets no answer throws its connection away within a second', async () => {
    const proxy = await createTcpProxy(databaseUrl)
    const url = new URL(databaseUrl)
    url.port = String(proxy.port)
    openPool(url.href)
    const gone = new AbortController()
    const rows = await stream('select pg_sleep(60)', gone.signal)
    await running(rows)
    proxy.freeze()
    gone.abort()
    await Promise.all([
      expect(once(rows, 'close')).rejects.toMatchObject({ name: 'AbortError' }),
      eventually(() => expect(poolStats(pool).total).toBe(0), { timeoutMs: 2000 }),
    ])
    await proxy.close()
    // Its server learns of it only later, by itself.
    const text = `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'rows test'`
    await withPostgres(databaseUrl, (client) => client.query(text))
  })

  it('whose reader went away while it waited for a connection does not begin', async () => {
    openPool()
    const client = await pool.connect()
    const gone = new AbortController()
    const waiting = stream('select pg_sleep(60)', gone.signal)
    gone.abort(new Error('gone'))
    client.release()
    await expect(waiting).rejects.toThrow('gone')
    expect(poolStats(pool)).toEqual({ total: 1, idle: 1, waiting: 0, max: 1 })
  })

  it('that gets no connection in time is an error of its own', async () => {
    openPool()
    const client = await pool.connect()
    pool.options.connectionTimeoutMillis = 50
    await expect(stream('select 1')).rejects.toMatchObject({ code: 'ERR_SERVER_UNREACHABLE' })
    client.release()
  })

  it('whose connection is lost fails, whether it is being read or not', async () => {
    openPool()
    for (const wait of [0, 200]) {
      const rows = await stream('select pg_backend_pid(), n from generate_series(1, 1000000) n')
      const [[pid]] = await once(rows, 'data')
      rows.pause()
      // It may be told before the other connection has its answer.
      const failed = expect(once(rows, 'close')).rejects.toThrow()
      const text = 'select pg_terminate_backend($1, 5000)'
      await withPostgres(databaseUrl, (client) => client.query(text, [pid]))
      await sleep(wait)
      rows.resume()
      await failed
      await eventually(() => expect(poolStats(pool).total).toBe(0), { timeoutMs: 2000 })
    }
  })
})
