import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { testRedisUrl } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const ENTRIES = 5

let service: TestService
let proxy: TcpProxy
let redis: Redis
let stream: string

beforeAll(async () => {
  const url = new URL(testRedisUrl())
  proxy = await createTcpProxy(url.href)
  url.host = `127.0.0.1:${proxy.port}`
  service = await startTestService({
    REDIS_URL: url.href,
    RECLAIM_MIN_IDLE_MS: '8000',
    BATCH_MAX_AGE_MS: '20',
  })
  redis = new Redis(testRedisUrl())
  stream = `${service.prefix}:logs`
})

afterAll(async () => {
  redis?.disconnect()
  await service?.close()
  await proxy?.close()
})

/** Who holds how many entries. */
async function pending(): Promise<Record<string, number>> {
  const [, , , holders] = (await redis.xpending(stream, 'observatory')) as [
    number,
    string,
    string,
    [string, string][] | null,
  ]
  return Object.fromEntries(
    (holders ?? []).map(([name, count]) => [name.replace(/.*-\d+$/, 'own'), Number(count)]),
  )
}

async function bodies(): Promise<string[]> {
  const rows = await service.query<{ body: string }>('select body from log_records order by body')
  return rows.map(({ body }) => body)
}

async function addHistory(name: string): Promise<string[]> {
  const added = Array.from({ length: ENTRIES }, (_, n) => `${name} ${n}`)
  const now = 1_700_000_000_000
  for (const [n, message] of added.entries()) {
    await redis.xadd(stream, `${now}-${n + 1}`, 'message', message, 'time', String(Date.now()))
  }
  return added
}

test('what was read before a connection was lost does not acknowledge other entries of the same ids', async () => {
  const locker = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  const first = await addHistory('first')
  await eventually(async () => expect(await pending()).toEqual({ own: ENTRIES }), { timeoutMs: 10_000 })

  // Behind the service's back the stream gets another history, and another consumer reads it.
  proxy.freeze()
  await redis.del(stream)
  const second = await addHistory('second')
  await redis.xgroup('CREATE', stream, 'observatory', '0')
  await redis.xreadgroup('GROUP', 'observatory', 'other', 'STREAMS', stream, '>')
  proxy.thaw()
  proxy.cut()

  await locker.query('rollback')
  await locker.end()
  await eventually(async () => expect(await bodies()).toEqual(first), { timeoutMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await pending()).toEqual({ other: ENTRIES })

  // Nobody of that name is at work, so they are taken over.
  await eventually(async () => expect(await bodies()).toEqual([...first, ...second]), { timeoutMs: 30_000 })
  await eventually(async () => expect(await pending()).toEqual({}), { timeoutMs: 10_000 })
})
