import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { testRedisUrl, withRedis } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const USER = `observatory-${randomBytes(4).toString('hex')}`

let service: TestService

const acl = (...rules: string[]) => withRedis((redis) => redis.acl('SETUSER', USER, ...rules))

beforeAll(async () => {
  await acl('on', '>secret', '~*', '&*', '+@all')
  const url = new URL(testRedisUrl())
  url.username = USER
  url.password = 'secret'
  service = await startTestService({ REDIS_URL: url.href })
})

afterAll(async () => {
  await service?.close()
  await withRedis((redis) => redis.acl('DELUSER', USER))
})

async function readiness(): Promise<{ status: number; problems: string }> {
  const response = await service.get('/readyz')
  const { problems } = (await response.json()) as { problems: string[] }
  return { status: response.status, problems: problems.join('; ') }
}

const becomes = (expected: object) =>
  eventually(async () => expect(await readiness()).toMatchObject(expected), { timeoutMs: 15_000 })

async function metric(name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^observatory_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

test('a stream that cannot be read makes the service unready, and ready again once it can', async () => {
  await becomes({ status: 200 })
  const key = `${service.prefix}:metrics`
  await service.redis.del(key)
  await service.redis.set(key, 'a text')
  await becomes({
    status: 503,
    problems: expect.stringMatching(/^ingest of metrics: .*WRONGTYPE/),
  })
  await service.redis.del(key)
  await becomes({ status: 200, problems: '' })
})

test('an acknowledgement that is refused is tried again, slowly, and nothing is read or written twice', async () => {
  const stream = `${service.prefix}:logs`
  await acl('-xack')
  await service.redis.xadd(stream, '*', 'message', 'committed')
  await becomes({ status: 503, problems: expect.stringMatching(/^ingest of logs: .*NOPERM/) })
  const readBefore = await metric('entries_read_total{signal="logs"}')
  expect(await service.query('select body from log_records')).toEqual([{ body: 'committed' }])
  const errorsBefore = await metric('redis_errors_total{signal="logs"}')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await metric('redis_errors_total{signal="logs"}')).toBeLessThan(errorsBefore + 10)
  expect(await metric('entries_read_total{signal="logs"}')).toBe(readBefore)
  expect(await metric('entries_in_flight{signal="logs"}')).toBe(1)

  await acl('+xack')
  await becomes({ status: 200 })
  expect(await service.redis.xpending(stream, 'observatory')).toEqual([0, null, null, null])
  expect(await metric('entries_in_flight{signal="logs"}')).toBe(0)
  expect(await metric('records_duplicate_total{signal="logs"}')).toBe(0)
})
