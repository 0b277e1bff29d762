import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { InFlight } from '../../src/ingest/in-flight.ts'
import { EntryReader } from '../../src/ingest/read-entries.ts'
import { createRedis, whenReady } from '../../src/redis.ts'
import { eventually } from '../helpers/eventually.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'

const STREAM = 'two:logs'

let old: OwnRedis
let promoted: OwnRedis
let proxy: TcpProxy
let redis: Redis
let commands: Redis
let stopping: AbortController

beforeEach(async () => {
  old = await startOwnRedis()
  promoted = await startOwnRedis()
  proxy = await createTcpProxy(old.url)
  const options = { role: 'commands', name: 'test', onError: () => undefined } as const
  redis = createRedis({ ...options, url: promoted.url })
  commands = createRedis({ ...options, url: `redis://127.0.0.1:${proxy.port}` })
  await Promise.all([whenReady(redis), whenReady(commands)])
  stopping = new AbortController()
})

afterEach(async () => {
  for (const each of [redis, commands]) each.disconnect()
  await proxy.close()
  await Promise.all([old.close(), promoted.close()])
})

test('while the connection that reads leads to one primary and the one that acknowledges to another, nothing is read', async () => {
  for (let each = 0; each < 5; each += 1) await redis.xadd(STREAM, '*', 'message', 'x')
  const errors: Error[] = []
  const reader = new EntryReader({
    redis,
    commands,
    stream: STREAM,
    group: 'g',
    consumer: 'c',
    maxCount: 100,
    blockMs: 20,
    inFlight: new InFlight(1_000_000, [STREAM]),
    stopping: stopping.signal,
    ended: stopping.signal,
    onError: (error) => errors.push(error as Error),
    onGroupGone: () => undefined,
    onVanished: async () => true,
    claim: { minIdleMs: 60_000, isAlive: async () => true, mayClaim: () => true, onClaimed: () => undefined },
  })
  const read: number[] = []
  const reading = (async () => {
    for await (const { entries } of reader.read()) read.push(entries.length)
  })()
  await eventually(() => expect(errors.length).toBeGreaterThan(2))
  expect(errors[0]?.message).toMatch(/leads to two servers at once \(run_id \w{40} and \w{40}\)/)
  expect(String(reader.problem)).toMatch(/two servers/)
  expect(read).toEqual([])

  const { port } = proxy
  await proxy.close()
  proxy = await createTcpProxy(promoted.url, port)
  await eventually(() => expect(read).toEqual([5]), { timeoutMs: 20_000 })
  expect(reader.problem).toBeUndefined()
  stopping.abort()
  await reading
}, 30_000)
