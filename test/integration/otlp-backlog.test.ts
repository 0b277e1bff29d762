import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { encodeOtlp } from '../helpers/otlp-protobuf.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const BACKLOG = 3

let redis: OwnRedis
let app: TestService

beforeAll(async () => {
  redis = await startOwnRedis()
  const env = { REDIS_URL: redis.url, STREAM_KEEP_ENTRIES: '2', OTLP_BACKLOG_MAX_ENTRIES: String(BACKLOG) }
  // Nobody reads what is added.
  app = await startTestService(env, { roles: ['api'] })
})
afterAll(async () => {
  await app?.close()
  await redis?.close()
})

async function post(text: string) {
  const body = encodeOtlp('logs', {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: text } }] }] }],
  })
  const response = await fetch(new URL('/v1/logs', app.service.url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body,
  })
  const answer = Buffer.from(await response.arrayBuffer()).toString()
  return { status: response.status, retryAfter: response.headers.get('retry-after'), answer }
}
const TAKEN = { status: 200, retryAfter: null, answer: '' }
const later = (why: string) => ({ status: 503, retryAfter: '5', answer: expect.stringContaining(why) })

test('while Redis is away requests are answered 503, to be sent again, and 200 once it is back', async () => {
  expect(await post('before')).toEqual(TAKEN)
  await redis.end('SIGKILL')
  await eventually(async () => expect(await post('meanwhile')).toEqual(later('Redis does not take it')))
  await redis.start()
  await eventually(async () => expect(await post('meanwhile')).toEqual(TAKEN))
  expect(await app.redis.xlen(`${app.prefix}:logs`)).toBe(2)
})

test('a Redis that is full is no answer of 200', async () => {
  await app.redis.config('SET', 'maxmemory', '1')
  expect(await post('full')).toEqual(later('OOM'))
  await app.redis.config('SET', 'maxmemory', '0')
  expect(await post('full')).toEqual(TAKEN)
})

test('a stream that nobody reads takes no more than its backlog', async () => {
  for (let added = await app.redis.xlen(`${app.prefix}:logs`); added < 2 + BACKLOG; added += 1)
    expect(await post(`entry ${added}`)).toEqual(TAKEN)
  expect(await post('one too many')).toEqual(later('OTLP_BACKLOG_MAX_ENTRIES'))
  expect(await app.redis.xlen(`${app.prefix}:logs`)).toBe(2 + BACKLOG)
})
