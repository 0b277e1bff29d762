import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { isLive, type TailClient, watchTail } from '../helpers/watch-tail.ts'

let app: TestService
const open: TailClient[] = []

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5', TAIL_MAX_WATCHERS: '20' })
})
afterAll(() => app?.close())
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
})

async function watch(path: string, lastEventId?: string): Promise<TailClient> {
  const client = await watchTail(new URL(`/api/v1/${path}`, app.service.url), { lastEventId })
  open.push(client)
  return client
}

async function watchLive(path: string): Promise<TailClient> {
  const client = await watch(path)
  await client.until(isLive)
  return client
}

const log = (record: object) => app.redis.xadd(`${app.prefix}:logs`, '*', 'json', JSON.stringify(record))
const numbered = (service: string, n: number) => log({ service, body: `${n}`, attributes: { n } })
const numbers = (client: TailClient) => client.records().map(({ attributes }) => attributes.n)
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('a tail', () => {
  test('shows a log record as it comes, as the list gives it when it is stored', async () => {
    const client = await watchLive('logs/tail?service=shown')
    const record = {
      service: 'shown',
      level: 'error',
      body: { deep: [1, 'two'] },
      attributes: { 'user.id': 42 },
      traceId: 'a'.repeat(32),
    }
    const id = await log(record)
    await client.until(({ records }) => records().length === 1)
    expect(client.lastId).toBe(`${id}-0`)
    await eventually(async () => {
      const answer = await app.get('/api/v1/logs?service=shown')
      expect(await answer.json()).toMatchObject({ data: client.records() })
    })
  })

  test('shows spans and data points', async () => {
    const spans = await watchLive('spans/tail?minDuration=1s&model=gpt-4o')
    const points = await watchLive('metrics/tail?name=queue.length')
    const span = {
      traceId: 'b'.repeat(32),
      spanId: 'c'.repeat(16),
      name: 'chat',
      startTime: new Date().toISOString(),
    }
    const attributes = { 'gen_ai.request.model': 'gpt-4o' }
    await app.redis.xadd(
      `${app.prefix}:traces`,
      '*',
      'json',
      JSON.stringify([
        { ...span, durationMs: 2000, attributes },
        { ...span, durationMs: 2 },
      ]),
    )
    await app.redis.xadd(
      `${app.prefix}:metrics`,
      '*',
      'name',
      'queue.length',
      'type',
      'gauge',
      'value',
      '7',
      'time',
      String(Date.now()),
    )
    await spans.until(({ records }) => records().length === 1)
    await points.until(({ records }) => records().length === 1)
    expect(spans.records()[0]).toMatchObject({ name: 'chat', traceId: 'b'.repeat(32), attributes })
    expect(points.records()[0]).toMatchObject({ name: 'queue.length', value: 7 })
  })

  test('shows each record once, in the order in which they came', async () => {
    const client = await watchLive('logs/tail?service=ordered')
    for (const n of upTo(500)) void numbered('ordered', n)
    await client.until(({ records }) => records().length >= 500)
    await sleep(50)
    expect(numbers(client)).toEqual(upTo(500))
    const ids = client.events.flatMap(({ id }) => id ?? [])
    expect(new Set(ids).size).toBe(500)
  })

  test('leaves out what is refused: it is among the dead letters', async () => {
    const client = await watchLive('logs/tail?service=refused')
    await log([
      { service: 'refused', body: 'one' },
      { service: 'refused', severityNumber: 99 },
      { service: 'refused', body: 'two' },
    ] as object)
    await client.until(({ records }) => records().length === 2)
    expect(client.events.flatMap(({ id }) => id?.split('-').at(-1) ?? [])).toEqual(['0', '2'])
  })

  test('ends after as many records as it was asked for', async () => {
    const client = await watchLive('logs/tail?service=limited&limit=3')
    for (const n of upTo(5)) await numbered('limited', n)
    expect(await client.ended).toBe(true)
    expect(numbers(client)).toEqual([0, 1, 2])
    expect(client.events.at(-1)).toMatchObject({ event: 'bye', data: { reason: 'limit' } })
  })

  test('shows a share of the records, all of a trace or none of it', async () => {
    const all = await watchLive('logs/tail?service=sampled')
    const client = await watchLive('logs/tail?service=sampled&sample=0.3')
    const traces = upTo(200).map((n) => n.toString(16).padStart(32, '7'))
    for (const traceId of [...traces, ...traces]) await log({ service: 'sampled', traceId, body: 'x' })
    await all.until(({ records }) => records().length === 400)
    await sleep(100)
    const seen: string[] = client.records().map(({ traceId }) => traceId)
    const [first, second] = [seen.slice(0, seen.length / 2), seen.slice(seen.length / 2)]
    expect(first).toEqual(second)
    expect(first.length).toBeGreaterThan(30)
    expect(first.length).toBeLessThan(90)
  })

  test.each([
    ['logs/tail?history=-1', 'history'],
    ['logs/tail?history=1001', 'history'],
    ['logs/tail?sample=0', 'sample'],
    ['logs/tail?to=-1h', 'to'],
    ['logs/tail?order=asc', 'order'],
    ['logs/tail?level=loud', 'level'],
    ['spans/tail?q=word', 'q'],
    ['logs/tail?lastEventId=yesterday', 'lastEventId'],
    ['logs/tail?history=10&contains=x', 'contains'],
  ])('%s is refused, and the parameter named', async (path, parameter) => {
    const answer = await app.get(`/api/v1/${path}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ parameter })
  })

  test('is refused when as many are open as there may be, and can be had when one has ended', async () => {
    for (const _ of upTo(20)) await watchLive('logs/tail?service=many')
    const refused = await app.get('/api/v1/logs/tail')
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await open.pop()?.close()
    await eventually(async () => {
      const client = await watch('logs/tail?service=many')
      await client.until(isLive)
    })
  })
})

describe('history', () => {
  beforeAll(async () => {
    // A tail that has just begun knows all that was there: what one that runs has not read yet counts as live.
    let watched: TailClient | undefined
    // Those of the test before may not be gone yet.
    await eventually(async () => {
      watched = await watchLive('logs/tail?service=past')
    })
    for (const n of upTo(50)) await numbered('past', n)
    await watched?.until(({ records }) => records().length === 50)
  })

  test('has the last records that match, then what comes', async () => {
    const client = await watchLive('logs/tail?service=past&history=10')
    expect(numbers(client)).toEqual(upTo(50).slice(-10))
    await numbered('past', 50)
    await client.until(({ records }) => records().length === 11)
    expect(numbers(client)).toEqual(upTo(51).slice(-11))
    await app.redis.xadd(`${app.prefix}:logs`, '*', 'service', 'none', 'body', 'x')
  })

  test('and what comes are joined without a gap and without a double, while records come', async () => {
    let n = 0
    let isRunning = true
    const sending = (async () => {
      for (; isRunning; n += 1) await numbered('joined', n)
    })()
    await sleep(200)
    const clients = await Promise.all(upTo(15).map(() => watch('logs/tail?service=joined&history=100')))
    await Promise.all(clients.map((client) => client.until(({ records }) => records().length >= 300)))
    isRunning = false
    await sending
    await Promise.all(clients.map((client) => client.until(() => numbers(client).at(-1) === n - 1)))
    for (const client of clients) {
      const [first] = numbers(client)
      expect(numbers(client)).toEqual(upTo(n).slice(first))
    }
  })

  test('comes from PostgreSQL where the stream has it no more', async () => {
    for (const each of upTo(30)) await numbered('trimmed', each)
    await eventually(async () =>
      expect(await app.query(`select count(*)::int as n from log_records where service = 'trimmed'`)).toEqual(
        [{ n: 30 }],
      ),
    )
    await app.redis.xtrim(`${app.prefix}:logs`, 'MAXLEN', 0)
    await numbered('trimmed', 30)
    const client = await watchLive('logs/tail?service=trimmed&history=20')
    // The newest may come after the history, which then has one more before it.
    await client.until(() => numbers(client).at(-1) === 30)
    expect(numbers(client).slice(-20)).toEqual(upTo(31).slice(-20))
  })

  test('begins at a time', async () => {
    const watched = await watchLive('logs/tail?service=timed')
    await log({ service: 'timed', body: 'old', time: Date.now() - 3_600_000 })
    await log({ service: 'timed', body: 'new' })
    // What a tail that runs has not read yet would come later.
    await watched.until(({ records }) => records().length === 2)
    const client = await watchLive('logs/tail?service=timed&from=-5m')
    expect(client.records().map(({ body }) => body)).toEqual(['new'])
  })
})

describe('who comes back with the id of the last event', () => {
  test('is shown all that came since, once', async () => {
    const client = await watchLive('logs/tail?service=again')
    for (const n of upTo(20)) await numbered('again', n)
    await client.until(({ records }) => records().length === 20)
    const seen = client.events.filter(({ event }) => event === 'record')[9]
    const back = await watch('logs/tail?service=again', seen?.id)
    await back.until(isLive)
    expect(numbers(back)).toEqual(upTo(20).slice(10))
    await numbered('again', 20)
    await back.until(({ records }) => records().length === 11)
  })

  test('is shown the rest of an entry', async () => {
    const client = await watchLive('logs/tail?service=whole')
    await log(upTo(5).map((n) => ({ service: 'whole', body: 'x', attributes: { n } })))
    await client.until(({ records }) => records().length === 5)
    const back = await watch('logs/tail?service=whole', client.lastId?.replace(/4$/, '1'))
    await back.until(isLive)
    expect(numbers(back)).toEqual([2, 3, 4])
  })

  test('is shown from PostgreSQL what the stream has no more', async () => {
    const first = await numbered('stored', 0)
    for (const n of upTo(30).slice(1)) await numbered('stored', n)
    await eventually(async () =>
      expect(await app.query(`select count(*)::int as n from log_records where service = 'stored'`)).toEqual([
        { n: 30 },
      ]),
    )
    await app.redis.xtrim(`${app.prefix}:logs`, 'MAXLEN', 5)
    await idle()
    const back = await watch('logs/tail?service=stored', `${first}-0`)
    await back.until(isLive)
    expect(numbers(back)).toEqual(upTo(30).slice(1))
    expect(back.events.filter(({ event }) => event === 'gap')).toEqual([])
  })
})

/** What was read last is at hand for a while: this takes it away. */
async function idle(): Promise<void> {
  await Promise.all(open.splice(0).map((client) => client.close()))
}
