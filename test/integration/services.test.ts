import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { withinTwoPercent } from '../helpers/within-two-percent.ts'

const NOW = BigInt(Date.now()) * 1_000_000n
const HOUR = 3_600_000_000_000n
const TRACE = 'a'.repeat(32)
let app: TestService

interface Drawn {
  readonly id: number
  readonly parent?: number
  readonly service: string
  readonly name: string
  readonly ago: bigint
  readonly ms?: number
  readonly status?: string
}

/** A page of the shop, which asks two services, one of which calls itself; and a job of the day before. */
const SPANS: readonly Drawn[] = [
  { id: 1, service: 'web', name: 'GET /', ago: 0n, ms: 100 },
  { id: 2, parent: 1, service: 'cart', name: 'list', ago: 0n, ms: 20 },
  { id: 3, parent: 2, service: 'cart', name: 'select', ago: 0n, ms: 10 },
  { id: 4, parent: 1, service: 'search', name: 'find', ago: 0n, ms: 40, status: 'error' },
  { id: 5, parent: 1, service: 'search', name: 'find', ago: 0n, ms: 60 },
  { id: 6, parent: 99, service: 'orphan', name: 'alone', ago: 0n },
  { id: 7, service: 'job', name: 'nightly', ago: 30n * HOUR, ms: 5 },
  { id: 8, parent: 7, service: 'cart', name: 'list', ago: 30n * HOUR, ms: 7 },
]
const hex = (id: number) => id.toString(16).padStart(16, '0')

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const spans = SPANS.map(({ id, parent, ago, ms, ...span }) => ({
    ...span,
    traceId: ago === 0n ? TRACE : 'b'.repeat(32),
    spanId: hex(id),
    ...(parent !== undefined && { parentSpanId: hex(parent) }),
    kind: parent === undefined ? 'server' : 'client',
    startTimeUnixNano: String(NOW - 60_000_000_000n - ago),
    ...(ms !== undefined && { durationMs: ms }),
    resource: { attributes: { 'deployment.environment.name': span.service === 'job' ? 'batch' : 'prod' } },
  }))
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  await app.redis.xadd(
    `${app.prefix}:logs`,
    '*',
    'json',
    JSON.stringify([{ service: 'web' }, { service: 'syslog' }]),
  )
  const point = { service: 'meter', name: 'm', type: 'gauge', value: 1, time: Date.now() }
  await app.redis.xadd(`${app.prefix}:metrics`, '*', 'json', JSON.stringify(point))
  await eventually(async () => {
    const [row] = await app.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
         (select count(*)::int from metric_points) as points`,
    )
    expect(row).toEqual({ spans: SPANS.length, logs: 2, points: 1 })
  })
})
afterAll(() => app?.close())

async function list(path: string): Promise<Record<string, unknown>[]> {
  const answer = await app.get(`/api/v1/${path}`)
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { data: Record<string, unknown>[] }).data
}

describe('services', () => {
  test('are all that sent something, with their environments and what they sent', async () => {
    const one = (service: string, environments: string[], ...signals: string[]) => ({
      service,
      environments,
      signals,
    })
    expect(await list('services')).toEqual([
      one('cart', ['prod'], 'traces'),
      one('job', ['batch'], 'traces'),
      one('meter', [], 'metrics'),
      one('orphan', ['prod'], 'traces'),
      one('search', ['prod'], 'traces'),
      one('syslog', [], 'logs'),
      one('web', ['prod'], 'traces', 'logs'),
    ])
  })

  test('of a time range are those that sent something in it', async () => {
    const names = (await list('services?from=-2d&to=-1d')).map(({ service }) => service)
    expect(names).toEqual(['cart', 'job', 'meter'])
    expect(await list('services?service=web')).toHaveLength(1)
  })
})

describe('operations', () => {
  test('are names and kinds of spans, most frequent first', async () => {
    expect((await list('operations')).slice(0, 2)).toEqual([
      { service: 'cart', name: 'list', kind: 'client', spanCount: 2, errorCount: 0 },
      { service: 'search', name: 'find', kind: 'client', spanCount: 2, errorCount: 1 },
    ])
    expect(await list('operations?service=cart&from=-1h')).toEqual([
      { service: 'cart', name: 'list', kind: 'client', spanCount: 1, errorCount: 0 },
      { service: 'cart', name: 'select', kind: 'client', spanCount: 1, errorCount: 0 },
    ])
  })
})

describe('dependencies', () => {
  const quantiles = (...ms: number[]) =>
    Object.fromEntries(
      ['p50', 'p90', 'p95', 'p99'].map((name, index) => [
        name,
        withinTwoPercent((ms[index] ?? ms.at(-1) ?? 0) * 1e6),
      ]),
    )

  test('are calls between services, with errors and durations of what is called', async () => {
    expect(await list('dependencies')).toEqual([
      { parent: 'web', child: 'search', callCount: 2, errorCount: 1, durationNs: quantiles(40, 60) },
      { parent: 'job', child: 'cart', callCount: 1, errorCount: 0, durationNs: quantiles(7) },
      { parent: 'web', child: 'cart', callCount: 1, errorCount: 0, durationNs: quantiles(20) },
    ])
  })

  test('of a time range, and of one service on either side', async () => {
    const pairs = async (path: string) => (await list(path)).map(({ parent, child }) => `${parent}>${child}`)
    expect(await pairs('dependencies?to=-1d')).toEqual(['job>cart'])
    expect(await pairs('dependencies?service=cart')).toEqual(['job>cart', 'web>cart'])
    expect(await pairs('dependencies?service=job&from=-1h')).toEqual([])
  })
})

describe('one span', () => {
  test('comes in the shape that was sent', async () => {
    const answer = await app.get(`/api/v1/traces/${TRACE}/spans/${hex(4)}`)
    expect(await answer.json()).toMatchObject({
      traceId: TRACE,
      spanId: hex(4),
      name: 'find',
      status: { code: 'error' },
    })
  })

  test('that is not there is not found, and what is no id is refused', async () => {
    expect((await app.get(`/api/v1/traces/${TRACE}/spans/${hex(7)}`)).status).toBe(404)
    const answer = await app.get(`/api/v1/traces/${TRACE}/spans/4`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ parameter: 'spanId' })
  })
})

test('metrics are counted by name, service and type', async () => {
  expect(await list('metrics/stats?by=name,service,type')).toMatchObject([
    { name: 'm', service: 'meter', type: 'gauge', points: 1, series: 1 },
  ])
})
