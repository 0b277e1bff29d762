import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const MINUTE = 60_000_000_000n
/** The beginning of an hour, two to three hours ago. */
const START = ((BigInt(Date.now()) * 1_000_000n) / (60n * MINUTE)) * 60n * MINUTE - 120n * MINUTE
const at = (seconds: number) => String(START + BigInt(Math.round(seconds * 1000)) * 1_000_000n)

let app: TestService
const points: Record<string, unknown>[] = []

/** Points of one series at the given seconds. */
function send(
  metric: Record<string, unknown>,
  values: readonly (readonly [seconds: number, point: Record<string, unknown>])[],
) {
  for (const [seconds, point] of values)
    points.push({ service: 'api', timeUnixNano: at(seconds), ...metric, ...point })
}

send({ name: 'queue', type: 'gauge', unit: '{job}', attributes: { zone: 'a' } }, [
  [0, { value: 1 }],
  [20, { value: 2 }],
  [40, { value: 6 }],
  [60, { value: 10 }],
])
send(
  {
    name: 'queue',
    type: 'gauge',
    unit: '{job}',
    attributes: { zone: 'b' },
    service: 'web',
    resource: { attributes: { 'host.name': 'h1' } },
  },
  [
    [30, { value: 100 }],
    [150, { value: 7.5 }],
  ],
)
// A counter that is restarted twice: once with a new start, once with a lower value alone.
send({ name: 'requests', type: 'counter', startTimeUnixNano: at(-1000) }, [
  [-60, { value: 100 }],
  [0, { value: 110 }],
  [30, { value: 130 }],
  [60, { value: 200, startTimeUnixNano: at(40) }],
  [90, { value: 5, startTimeUnixNano: at(40) }],
  [120, { value: 5, startTimeUnixNano: at(40) }],
])
send({ name: 'requests', type: 'counter', service: 'web', startTimeUnixNano: at(10) }, [
  [20, { value: 7 }],
  [80, { value: 9 }],
])
send({ name: 'sent', type: 'counter', temporality: 'delta' }, [
  [0, { value: 3 }],
  [10, { value: 4 }],
  [70, { value: 5 }],
])
send({ name: 'balance', type: 'updowncounter', startTimeUnixNano: at(-1000) }, [
  [-30, { value: 10 }],
  [0, { value: 4 }],
  [30, { value: 9 }],
])
const buckets = { explicitBounds: [0, 0.5, 1] }
send({ name: 'latency', type: 'histogram', unit: 's', temporality: 'delta', ...buckets }, [
  [0, { count: 10, sum: 4, min: 0, max: 3, bucketCounts: [4, 3, 2, 1] }],
  [30, { count: 9, sum: 5, min: -1, max: 2, bucketCounts: [2, 2, 1, 4] }],
  [60, { count: 0, sum: 0, bucketCounts: [0, 0, 0, 0] }],
])
// The same, told since the start, and begun anew in the third minute.
send({ name: 'duration', type: 'histogram', unit: 's', startTimeUnixNano: at(-500), ...buckets }, [
  [-20, { count: 100, sum: 50, bucketCounts: [10, 20, 30, 40] }],
  [0, { count: 110, sum: 54, bucketCounts: [14, 23, 32, 41] }],
  [30, { count: 119, sum: 59, bucketCounts: [16, 25, 33, 45] }],
  [130, { count: 4, sum: 1, startTimeUnixNano: at(125), bucketCounts: [0, 4, 0, 0] }],
])
send({ name: 'size', type: 'exponentialHistogram', temporality: 'delta', scale: 0, zeroThreshold: 0 }, [
  [0, { count: 4, sum: 12, zeroCount: 0, positive: { offset: 0, bucketCounts: [0, 4] } }],
  [10, { count: 4, sum: 24, scale: 1, zeroCount: 0, positive: { offset: 4, bucketCounts: [4] } }],
])
send({ name: 'gc', type: 'summary', startTimeUnixNano: at(-10) }, [
  [
    0,
    {
      count: 10,
      sum: 5,
      quantiles: [
        { quantile: 0.5, value: 0.4 },
        { quantile: 0.99, value: 2 },
      ],
    },
  ],
  [
    30,
    {
      count: 16,
      sum: 11,
      quantiles: [
        { quantile: 0.5, value: 0.6 },
        { quantile: 0.99, value: 3 },
      ],
    },
  ],
])
send({ name: 'double', type: 'gauge', unit: 'ms' }, [[0, { value: 1 }]])
send({ name: 'double', type: 'gauge', unit: 's' }, [[0, { value: 2 }]])
send({ name: 'twofold', type: 'gauge' }, [[0, { value: 1 }]])
send({ name: 'twofold', type: 'counter' }, [[0, { value: 2 }]])

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  await app.redis.xadd(`${app.prefix}:metrics`, '*', 'json', JSON.stringify(points))
  await eventually(async () => {
    const [row] = await app.query(
      'select (select count(*)::int from metric_points) as points, (select count(*)::int from dead_letters) as letters',
    )
    expect(row).toEqual({ points: points.length, letters: 0 })
  })
})
afterAll(() => app?.close())

async function ask(name: string, words: Record<string, string>, what = 'query') {
  const answer = await app.get(`/api/v1/metrics/${name}/${what}?${new URLSearchParams(words)}`)
  return { status: answer.status, ...((await answer.json()) as { data?: unknown; detail?: string }) }
}

/** Rows from the beginning of the hour, the time of each as seconds after it. */
async function series(name: string, words: Record<string, string>) {
  const { data, ...rest } = await ask(name, { from: at(0), to: at(600), ...words })
  expect(rest).toEqual({ status: 200, nextCursor: null })
  return (data as { timeUnixNano?: string }[]).map(({ timeUnixNano, ...row }) =>
    timeUnixNano === undefined ? row : { s: Number((BigInt(timeUnixNano) - START) / 1_000_000_000n), ...row },
  )
}

describe('a gauge', () => {
  test('is averaged over all time unless something else is asked for', async () => {
    expect(await series('queue', {})).toEqual([{ labels: {}, avg: 126.5 / 6 }])
  })

  test('by labels and step', async () => {
    const agg = 'sum,min,max,count,last,avg'
    expect(await series('queue', { agg, by: 'zone', step: '1m' })).toEqual([
      { s: 0, labels: { zone: 'a' }, sum: 9, min: 1, max: 6, count: 3, last: 6, avg: 3 },
      { s: 0, labels: { zone: 'b' }, sum: 100, min: 100, max: 100, count: 1, last: 100, avg: 100 },
      { s: 60, labels: { zone: 'a' }, sum: 10, min: 10, max: 10, count: 1, last: 10, avg: 10 },
      { s: 120, labels: { zone: 'b' }, sum: 7.5, min: 7.5, max: 7.5, count: 1, last: 7.5, avg: 7.5 },
    ])
  })

  test('by service, environment, an attribute of the resource, and a label that nothing has', async () => {
    const by = 'service,environment,host.name,nothing'
    expect(await series('queue', { agg: 'count', by })).toEqual([
      { labels: { service: 'api', environment: null, 'host.name': null, nothing: null }, count: 4 },
      { labels: { service: 'web', environment: null, 'host.name': 'h1', nothing: null }, count: 2 },
    ])
  })

  test('has percentiles of its values', async () => {
    expect(await series('queue', { agg: 'p50,p100,p0', by: 'zone', 'attr.zone': 'a' })).toEqual([
      { labels: { zone: 'a' }, p50: 4, p100: 10, p0: 1 },
    ])
  })

  test('is of what matches alone', async () => {
    expect(await series('queue', { agg: 'count', service: 'web' })).toEqual([{ labels: {}, count: 2 }])
    expect(await series('queue', { agg: 'count', service: 'none' })).toEqual(
      [{ labels: {}, count: 0 }].slice(1),
    )
    expect(await series('queue', { agg: 'count', to: at(40) })).toEqual([{ labels: {}, count: 3 }])
  })
})

describe('a counter', () => {
  test('of cumulative temporality counts on over what came before, and over restarts', async () => {
    expect(await series('requests', { agg: 'increase,count,last', by: 'service', step: '1m' })).toEqual([
      // 10 since the point before the range, 20.
      { s: 0, labels: { service: 'api' }, increase: 30, count: 2, last: 130 },
      // Begun within the range.
      { s: 0, labels: { service: 'web' }, increase: 7, count: 1, last: 7 },
      // 200 since a new start, then 5 since an unannounced one.
      { s: 60, labels: { service: 'api' }, increase: 205, count: 2, last: 5 },
      { s: 60, labels: { service: 'web' }, increase: 2, count: 1, last: 9 },
      { s: 120, labels: { service: 'api' }, increase: 0, count: 1, last: 5 },
    ])
  })

  test('has a rate by the second of the time that is asked for', async () => {
    expect(await series('requests', { agg: 'rate', step: '1m', from: at(30), to: at(90) })).toEqual([
      { s: 0, labels: {}, rate: 20 / 30 },
      { s: 60, labels: {}, rate: 202 / 30 },
    ])
    expect(await series('requests', { agg: 'rate', from: at(0), to: at(100) })).toEqual([
      { labels: {}, rate: 2.44 },
    ])
  })

  test('whose first point is not known since when adds nothing by it', async () => {
    expect(await series('requests', { agg: 'increase', service: 'web', from: at(15) })).toEqual([
      { labels: {}, increase: 2 },
    ])
  })

  test('of delta temporality is added up', async () => {
    expect(await series('sent', { agg: 'sum,rate', step: '1m' })).toEqual([
      { s: 0, labels: {}, sum: 7, rate: 7 / 60 },
      { s: 60, labels: {}, sum: 5, rate: 5 / 60 },
    ])
  })

  test('that goes up and down has its change, and its values', async () => {
    expect(await series('balance', { agg: 'increase,avg,last' })).toEqual([
      { labels: {}, increase: -1, avg: 6.5, last: 9 },
    ])
  })
})

describe('a histogram', () => {
  const expected = { count: 19, increase: 19, sum: 9, avg: 9 / 19, rate: 19 / 60, p50: 0.35, p100: 1, p10: 0 }

  test('has quantiles interpolated in its buckets: 0, .5, 1, inf with 6, 11, 14, 19 give .35 at .5', async () => {
    const [first, second] = await series('latency', {
      agg: 'count,increase,sum,avg,rate,p50,p100,p10,min,max',
      step: '1m',
    })
    expect(first).toEqual({ s: 0, labels: {}, ...expected, min: -1, max: 3 })
    expect(second).toEqual({
      s: 60,
      labels: {},
      count: 0,
      increase: 0,
      sum: 0,
      avg: null,
      rate: 0,
      p50: null,
      p100: null,
      p10: null,
      min: null,
      max: null,
    })
  })

  test('of cumulative temporality has those of what was measured meanwhile, over restarts', async () => {
    const rows = await series('duration', { agg: 'count,increase,sum,avg,rate,p50,p100,p10', step: '1m' })
    expect(rows).toEqual([
      { s: 0, labels: {}, ...expected },
      {
        s: 120,
        labels: {},
        count: 4,
        increase: 4,
        sum: 1,
        avg: 0.25,
        rate: 4 / 60,
        p50: 0.25,
        p100: 0.5,
        p10: 0.05,
      },
    ])
  })

  test('of exponential buckets, of several scales', async () => {
    const [row] = await series('size', { agg: 'p50,p75,count,avg' })
    // 8 measurements, half of them in (2, 4], half in (4, 8] once both have the scale 0.
    expect(row).toEqual({ labels: {}, p50: 4, p75: expect.closeTo(Math.sqrt(32), 9), count: 8, avg: 4.5 })
  })

  test('without a step is one row, without a time range of all there is', async () => {
    const { data } = await ask('latency', { agg: 'count' })
    expect(data).toEqual([{ labels: {}, count: 19 }])
  })

  test('has as many rows as are asked for', async () => {
    expect(await ask('latency', { agg: 'count', step: '1m', limit: '1' })).toMatchObject({
      data: { length: 1 },
      isCut: true,
    })
  })
})

test('a summary has the quantiles that it was sent with, the newest, and counts what was measured', async () => {
  expect(await series('gc', { agg: 'p50,p99,p90,count,sum,avg', from: at(-10), to: at(60) })).toEqual([
    { labels: {}, p50: 0.6, p99: 3, p90: null, count: 16, sum: 11, avg: 11 / 16 },
  ])
})

describe('the newest points', () => {
  test('are one of each series, in the shape that was sent', async () => {
    const { data } = await ask('queue', {}, 'latest')
    expect(data).toMatchObject([
      { service: 'api', value: 10, timeUnixNano: at(60), attributes: { zone: 'a' }, unit: '{job}' },
      { service: 'web', value: 7.5, timeUnixNano: at(150), attributes: { zone: 'b' } },
    ])
  })

  test('are of what matches', async () => {
    expect(await ask('queue', { to: at(50), service: 'api' }, 'latest')).toMatchObject({
      data: [{ value: 6 }],
    })
    expect(await ask('queue', { 'attr.zone': 'b' }, 'latest')).toMatchObject({ data: [{ value: 7.5 }] })
    expect(await ask('none', {}, 'latest')).toMatchObject({ data: [] })
  })
})

describe('what cannot be told', () => {
  test.each([
    ['queue', { agg: 'rate' }, 'agg', 'queue, which is a gauge'],
    ['queue', { agg: 'median' }, 'agg', 'not median'],
    ['queue', { agg: 'p101' }, 'agg', 'not p101'],
    ['requests', { agg: 'p95' }, 'agg', 'requests, which is a counter'],
    ['requests', { agg: 'rate' }, 'agg', 'give from, or step'],
    ['latency', { agg: 'last' }, 'agg', 'latency, which is a histogram'],
    ['gc', { agg: 'min' }, 'agg', 'gc, which is a summary'],
    ['queue', { step: '10ms' }, 'step', 'at least a second'],
    ['queue', { step: 'soon' }, 'step', 'at least a second'],
    ['queue', { by: Array.from({ length: 21 }, (_, index) => `l${index}`).join(',') }, 'by', '20 labels'],
    ['double', {}, 'unit', 'ms, s'],
    ['twofold', {}, 'type', 'counter, gauge'],
    ['queue', { type: 'thermometer' }, 'type', 'one of gauge, counter'],
    ['queue', { from: at(10), to: at(5) }, 'from', 'not be after to'],
  ])('%s %j is refused, and %s named', async (name, words, parameter, detail) => {
    expect(await ask(name, words as unknown as Record<string, string>)).toMatchObject({
      status: 400,
      parameter,
      detail: expect.stringContaining(detail),
    })
  })

  test('is told when it is said which is meant', async () => {
    expect(await series('double', { unit: 's' })).toEqual([{ labels: {}, avg: 2 }])
    expect(await series('twofold', { type: 'gauge' })).toEqual([{ labels: {}, avg: 1 }])
  })

  test('a metric that is not there is not found', async () => {
    expect(await ask('nothing', {})).toMatchObject({
      status: 404,
      detail: expect.stringContaining('nothing'),
    })
    expect(await ask('queue', { type: 'summary' })).toMatchObject({ status: 404 })
  })
})
