import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { clientIdsOfThisFile } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { isLive, type TailClient, watchTail } from '../helpers/watch-tail.ts'

let app: TestService
const open: TailClient[] = []

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' }, { log: () => undefined })
})
afterAll(() => app?.close())
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
})

async function watch(
  path: string,
  { on = app, lastEventId }: { on?: TestService; lastEventId?: string } = {},
): Promise<TailClient> {
  const client = await watchTail(new URL(`/api/v1/${path}`, on.service.url), { lastEventId })
  open.push(client)
  await client.until(isLive)
  return client
}

const stream = () => `${app.prefix}:logs`
const record = (service: string, n: number, body = 'x') =>
  JSON.stringify({ service, body, attributes: { n } })
const add = (service: string, n: number, body?: string) =>
  app.redis.xadd(stream(), '*', 'json', record(service, n, body))
const numbers = (client: TailClient): number[] => client.records().map(({ attributes }) => attributes.n)
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)
const gaps = (client: TailClient) =>
  client.events.filter(({ event }) => event === 'gap').map(({ data }) => data)

/** The connections on which tails wait. */
const waitingClients = () => clientIdsOfThisFile(/ cmd=xread /)

describe('a tail', () => {
  test('misses nothing when its connection to Redis is lost', async () => {
    const client = await watch('logs/tail?service=lost')
    for (const n of upTo(100)) {
      if (n % 25 === 10) for (const id of await waitingClients()) await app.redis.client('KILL', 'ID', id)
      await add('lost', n)
    }
    await client.until(({ records }) => records().length >= 100)
    expect(numbers(client)).toEqual(upTo(100))
    expect(gaps(client)).toEqual([])
  })

  test('says how many entries were trimmed before it could read them', async () => {
    const client = await watch('logs/tail?service=gone')
    await add('gone', 0)
    await client.until(({ records }) => records().length === 1)
    const both = app.redis.multi()
    for (const id of await waitingClients()) both.call('CLIENT', 'KILL', 'ID', id)
    for (const n of upTo(10)) both.xadd(stream(), '*', 'json', record('gone', n + 1))
    both.xtrim(stream(), 'MAXLEN', 3)
    await both.exec()
    await client.until(({ records }) => records().length === 4)
    expect(numbers(client)).toEqual([0, 8, 9, 10])
    expect(gaps(client)).toMatchObject([{ entries: 7, reason: 'trimmed' }])
    const metrics = await (await app.get('/metrics')).text()
    expect(metrics).toMatch(/observatory_tail_entries_skipped_total\{signal="logs"\} [1-9]/)
  })

  test('says how many entries came and were trimmed while it waited for the next one', async () => {
    const client = await watch('logs/tail?service=burst')
    await add('burst', 0)
    await client.until(({ records }) => records().length === 1)
    const both = app.redis.multi()
    for (const n of upTo(10)) both.xadd(stream(), '*', 'json', record('burst', n + 1))
    both.xtrim(stream(), 'MAXLEN', 3)
    await both.exec()
    await client.until(({ records }) => records().length === 4)
    expect(numbers(client)).toEqual([0, 8, 9, 10])
    expect(gaps(client)).toMatchObject([{ entries: 7, reason: 'trimmed' }])
    await add('burst', 11)
    await client.until(({ records }) => records().length === 5)
    expect(gaps(client)).toHaveLength(1)
  })

  test('goes on with a stream that has begun again, and says so', async () => {
    const client = await watch('logs/tail?service=reset')
    await add('reset', 0)
    await client.until(({ records }) => records().length === 1)
    const both = app.redis.multi()
    both.del(stream())
    both.xadd(stream(), '1-1', 'json', record('reset', 1))
    await both.exec()
    await client.until(({ records }) => records().length === 2, 20_000)
    expect(numbers(client)).toEqual([0, 1])
    expect(gaps(client)).toMatchObject([{ entries: null, reason: 'reset' }])
    await app.redis.del(stream())
  }, 30_000)

  test('says goodbye when the service stops; another shows all that came since, once', async () => {
    const first = await startTestService({}, { roles: ['api'], beside: app })
    let n = 0
    let isRunning = true
    const sending = (async () => {
      for (; isRunning; n += 1) {
        await add('moved', n)
        await sleep(1)
      }
    })()
    const before = await watch('logs/tail?service=moved&history=1000', { on: first })
    await before.until(({ records }) => records().length > 50)
    await first.close()
    expect(await before.ended).toBe(true)
    expect(before.events.at(-1)).toMatchObject({ event: 'bye', data: { reason: 'shutdown' } })
    const second = await startTestService({}, { roles: ['api'], beside: app })
    try {
      const { lastId = '' } = before
      const after = await watch('logs/tail?service=moved', { on: second, lastEventId: lastId })
      await after.until(({ records }) => records().length > 50)
      isRunning = false
      await sending
      await after.until(() => numbers(after).at(-1) === n - 1)
      expect([...numbers(before), ...numbers(after)]).toEqual(upTo(n))
      await after.close()
    } finally {
      isRunning = false
      await second.close()
    }
  })
})

describe('who reads too slowly', () => {
  test('is told how many records were left out, holds up nobody, and costs a bounded queue', async () => {
    const count = 20_000
    const body = 'x'.repeat(1000)
    const fast = await watch('logs/tail?service=slow')
    const slow = await openUnread('/api/v1/logs/tail?service=slow')
    for (let from = 0; from < count; from += 500) {
      const pipeline = app.redis.pipeline()
      for (const n of upTo(500)) pipeline.xadd(stream(), '*', 'json', record('slow', from + n, body))
      await pipeline.exec()
      await fast.until(() => fast.records().length >= from)
    }
    await fast.until(() => fast.records().length >= count, 30_000)
    expect(numbers(fast)).toEqual(upTo(count))
    // Before it is told: it may never read again.
    await eventually(async () => {
      const metrics = await (await app.get('/metrics')).text()
      expect(metrics).toMatch(/observatory_tail_records_dropped_total\{signal="logs"\} [1-9]/)
    })
    const text = await readSome(slow, (seen) => seen.includes('event: dropped'))
    const shown = [...text.matchAll(/"n":\s?(\d+)/g)].map(([, n]) => Number(n))
    const dropped = Number(/event: dropped\ndata: \{"count":(\d+)\}/.exec(text)?.[1])
    expect(dropped).toBeGreaterThan(0)
    const until = shown.findIndex((n, index) => n !== index)
    const whole = until < 0 ? shown.length : until
    expect(shown.slice(0, whole)).toEqual(upTo(whole))
    slow.destroy()
    // What it was not given stays counted when it has gone.
    await eventually(async () => expect(await watchers('logs')).toBe(1))
    const metrics = await (await app.get('/metrics')).text()
    const counted = /observatory_tail_records_dropped_total\{signal="logs"\} (\d+)/.exec(metrics)?.[1]
    expect(Number(counted)).toBeGreaterThanOrEqual(dropped)
  }, 60_000)

  test('has left when the connection is closed: nothing of it stays', async () => {
    const socket = await openUnread('/api/v1/spans/tail')
    await eventually(async () => expect(await watchers('traces')).toBe(1))
    socket.destroy()
    await eventually(async () => expect(await watchers('traces')).toBe(0))
  })
})

async function watchers(signal: string): Promise<number> {
  const metrics = await (await app.get('/metrics')).text()
  return Number(new RegExp(`observatory_tail_watchers\\{signal="${signal}"\\} (\\d+)`).exec(metrics)?.[1])
}

/** A client that asks, and does not read. */
async function openUnread(path: string): Promise<Socket> {
  const { hostname, port } = new URL(app.service.url)
  const socket = connect(Number(port), hostname)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await sleep(200)
  return socket
}

async function readSome(socket: Socket, isEnough: (text: string) => boolean): Promise<string> {
  let text = ''
  socket.setEncoding('latin1')
  for await (const chunk of socket) {
    text += chunk
    if (isEnough(text.slice(-100_000))) break
  }
  // What the chunks of HTTP are framed by.
  return text.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')
}
