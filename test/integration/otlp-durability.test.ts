import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { encodeOtlp } from '../helpers/otlp-protobuf.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let primary: OwnRedis
let replica: OwnRedis
let admin: Redis
let app: TestService | undefined

beforeAll(async () => {
  primary = await startOwnRedis()
  replica = await startOwnRedis()
  admin = new Redis(replica.url)
})
afterEach(async () => {
  await app?.close()
  app = undefined
})
afterAll(async () => {
  admin?.disconnect()
  await replica?.close()
  await primary?.close()
})

const start = (durability: string) =>
  startTestService({ REDIS_URL: primary.url, OTLP_DURABILITY: durability }, { roles: ['api'] })

let bodies = 0
async function post(service: TestService) {
  bodies += 1
  const body = encodeOtlp('logs', {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: `log ${bodies}` } }] }] }],
  })
  const response = await fetch(new URL('/v1/logs', service.service.url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body,
  })
  return { status: response.status, answer: Buffer.from(await response.arrayBuffer()).toString() }
}

test('with OTLP_DURABILITY=replica a request is 503 while no replica has it, and 200 once one has', async () => {
  app = await start('replica')
  expect(await post(app)).toEqual({
    status: 503,
    answer: expect.stringContaining('no replica had it within'),
  })
  await admin.replicaof('127.0.0.1', primary.port)
  await eventually(async () => expect(await admin.info('replication')).toContain('master_link_status:up'))
  const service = app
  // Many at once wait together: one after the other they would take longer than a test may.
  const posted = await Promise.all(Array.from({ length: 200 }, () => post(service)))
  expect(posted.map(({ status }) => status)).toEqual(posted.map(() => 200))
  expect(await admin.xlen(`${app.prefix}:logs`)).toBe(await app.redis.xlen(`${app.prefix}:logs`))
})

test('with OTLP_DURABILITY=disk it waits for the append-only file, or says at start that this Redis cannot', async () => {
  const [waitaof] = (await admin.command('INFO', 'waitaof')) as unknown[]
  if (waitaof) {
    app = await start('disk')
    expect(await post(app)).toMatchObject({ status: 200 })
    const off = new Redis(primary.url)
    await off.config('SET', 'appendonly', 'no')
    expect(await post(app)).toMatchObject({ status: 503 })
    off.disconnect()
  } else {
    await expect(start('disk')).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SERVER_UNSUITABLE',
        message: expect.stringContaining('from version 7.2'),
      }),
    )
  }
})
