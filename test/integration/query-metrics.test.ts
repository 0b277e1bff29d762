import { get } from 'node:http'
import Fastify from 'fastify'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { observeQueries } from '../../src/http/observe-queries.ts'
import { closeServer, listen } from '../../src/http/server.ts'
import { createMetrics } from '../../src/metrics.ts'
import { eventually } from '../helpers/eventually.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({ QUERY_TIMEOUT_MS: '4000' }, { log: () => undefined })
  const spans = Array.from({ length: 700 }, (_, index) => looseSpan(`span ${index}`))
  await service.redis.xadd(`${service.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  await eventually(async () => expect(await value('records_written_total{signal="traces"}')).toBe(700))
})
afterAll(() => service?.close())

/** Of a sample, by its name without prefix and its labels; 0 when there is none. */
async function value(sample: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  const line = text.split('\n').find((each) => each.startsWith(`observatory_${sample} `))
  return Number(line?.split(' ').at(-1) ?? 0)
}

const ended = (route: string, outcome: string) =>
  value(`queries_total{route="${route}",outcome="${outcome}"}`)

describe('a query of the API', () => {
  test.each<[string, string, number]>([
    ['/api/v1/spans', '/api/v1/spans?format=ndjson', 700],
    ['/api/v1/spans', '/api/v1/spans?format=csv', 700],
    ['/api/v1/spans', '/api/v1/spans?limit=5', 5],
    ['/api/v1/traces', '/api/v1/traces', 1],
    ['/api/v1/traces/{traceId}', '/api/v1/traces/5b8efff798038103d269b633813fc60c', 700],
    ['/api/v1/traces/stats', '/api/v1/traces/stats', 1],
  ])('is counted under %s with what it answers: %s has %i rows', async (route, url, rows) => {
    const read = async () => ({
      finished: await ended(route, 'finished'),
      rows: await value(`query_rows_total{route="${route}"}`),
      bytes: await value(`query_sent_bytes_total{route="${route}"}`),
      firstRows: await value(`query_first_row_seconds_count{route="${route}"}`),
      answers: await value(`query_duration_seconds_count{route="${route}"}`),
    })
    const before = await read()
    const body = await (await service.get(url)).text()
    await eventually(async () => expect(await read()).toMatchObject({ finished: before.finished + 1 }))
    const after = await read()
    expect(after).toMatchObject({
      rows: before.rows + rows,
      firstRows: before.firstRows + 1,
      answers: before.answers + 1,
    })
    // What goes over the connection is compressed where fetch asks for it.
    expect(after.bytes - before.bytes).toBeGreaterThan(200)
    expect(after.bytes - before.bytes).toBeLessThan(body.length + 2000)
  })

  test('that finds nothing is finished and has no first row; one that is not valid is refused', async () => {
    await (await service.get('/api/v1/logs')).text()
    await (await service.get('/api/v1/logs?nothing=1')).text()
    await eventually(async () => {
      expect(await ended('/api/v1/logs', 'finished')).toBe(1)
      expect(await ended('/api/v1/logs', 'refused')).toBe(1)
    })
    expect(await value('query_first_row_seconds_count{route="/api/v1/logs"}')).toBe(0)
  })

  test('that PostgreSQL is too slow for, or whose client goes away, says so, and runs no more', async () => {
    const locker = new pg.Client(service.databaseUrl)
    await locker.connect()
    try {
      await locker.query('begin; lock table resources in access exclusive mode')
      const request = get(new URL('/api/v1/logs?format=ndjson', service.service.url))
      request.on('error', () => undefined)
      await eventually(async () => expect(await value('queries_running')).toBe(1))
      request.destroy()
      await eventually(async () => expect(await ended('/api/v1/logs', 'client')).toBe(1))
      expect((await service.get('/api/v1/logs?format=ndjson')).status).toBe(504)
      await eventually(async () => expect(await ended('/api/v1/logs', 'timeout')).toBe(1))
      expect(await value('queries_running')).toBe(0)
    } finally {
      await locker.end()
    }
  })

  test('that fails is told from one that is cut because the service stops', async () => {
    const app = Fastify()
    const metrics = createMetrics()
    observeQueries(app, metrics)
    app.get('/api/v1/broken', () => {
      throw new Error('broken')
    })
    app.get('/api/v1/endless/:id', () => new Promise(() => undefined))
    const url = await listen(app, { host: '127.0.0.1', port: 0 })
    await (await fetch(`${url}/api/v1/broken`)).text()
    const cut = fetch(`${url}/api/v1/endless/7`).then(
      () => 'answered',
      () => 'cut',
    )
    const counted = async () => (await metrics.queries.get()).values.map(({ labels }) => labels)
    await eventually(async () => expect((await metrics.queriesRunning.get()).values[0]?.value).toBe(1))
    await closeServer(app, 50)
    expect(await cut).toBe('cut')
    await eventually(async () =>
      expect(await counted()).toEqual([
        { route: '/api/v1/broken', outcome: 'failed' },
        { route: '/api/v1/endless/{id}', outcome: 'shutdown' },
      ]),
    )
  })
})

describe('what else a service tells of itself', () => {
  test('is that it is ready, which version runs, when it committed last, and how many partitions are ahead', async () => {
    const text = await eventually(async () => {
      const found = await (await service.get('/metrics')).text()
      expect(found).toContain('\nobservatory_ready 1\n')
      return found
    })
    expect(text).toMatch(/\nobservatory_build_info\{version="\d+\.\d+\.\d+[^"]*"\} 1\n/)
    const committed = await value('last_commit_timestamp_seconds{signal="traces"}')
    expect(Math.abs(Date.now() / 1000 - committed)).toBeLessThan(60)
    expect(text).not.toContain('observatory_last_commit_timestamp_seconds{signal="logs"}')
    // A look is made at the start; PARTITIONS_AHEAD is 3.
    await eventually(async () => expect(await value('partitions_ahead{table="spans"}')).toBe(3))
  })

  test('is for how long the oldest pending entry has waited', async () => {
    const locker = new pg.Client(service.databaseUrl)
    await locker.connect()
    const oldest = () => value('stream_oldest_pending_seconds{signal="traces"}')
    try {
      expect(await oldest()).toBe(0)
      await locker.query('begin; lock table spans in access exclusive mode')
      await service.redis.xadd(`${service.prefix}:traces`, '*', 'json', JSON.stringify([looseSpan('late')]))
      await eventually(async () => expect(await oldest()).toBeGreaterThan(0.5))
      expect(await oldest()).toBeLessThan(30)
    } finally {
      await locker.end()
    }
    await eventually(async () => expect(await oldest()).toBe(0))
  })
})
