import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type JoinedServers, joinServers } from '../../src/embedded/servers.ts'
import {
  type CreateRedisOptions,
  createRedis,
  openRevivedRedis,
  redisSafetyWarnings,
  reviveWhenEnded,
  whenReady,
} from '../../src/redis.ts'
import { type WaitForRedisOptions, waitForRedis } from '../../src/wait-for-redis.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'

/** A server of its own: these tests change its configuration. */
let folder: string
let servers: JoinedServers
let url: string
let admin: Redis
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'redis-connection-'))
  const redisSettings = { 'enable-debug-command': 'yes' }
  const dataDir = join(folder, 'data')
  servers = await joinServers({
    dataDir,
    postgres: false,
    redis: true,
    redisPort: await freePort(),
    redisSettings,
  })
  url = servers.redisUrl ?? ''
  admin = new Redis(url)
})
afterAll(async () => {
  admin.disconnect()
  await servers.leave()
  rmSync(folder, { recursive: true })
})

let proxy: TcpProxy
let proxyUrl: string
beforeEach(async () => {
  await admin.flushall()
  proxy = await createTcpProxy(url)
  proxyUrl = `redis://127.0.0.1:${proxy.port}`
})

const clients: Redis[] = []
const errors: Error[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  await proxy.close()
  errors.length = 0
})

async function open(options: Partial<CreateRedisOptions> = {}): Promise<Redis> {
  const redis = createRedis({
    url: proxyUrl,
    role: 'commands',
    name: 'test',
    onError: (error) => errors.push(error),
    ...options,
  })
  clients.push(redis)
  await whenReady(redis)
  return redis
}

/** Resets the connection; resolves when its client knows, before it made a new one. */
async function cutOff(redis: Redis): Promise<void> {
  const closed = new Promise((resolve) => redis.once('close', resolve))
  proxy.cut()
  await closed
}

/** A blocking read of the group `g` that waits in the server. */
async function readBlocking(redis: Redis, blockMs = 8000): Promise<{ read: Promise<unknown> }> {
  const read = redis.xreadgroup('GROUP', 'g', 'c', 'COUNT', 10, 'BLOCK', blockMs, 'STREAMS', 's', '>')
  read.catch(() => undefined)
  await eventually(async () => expect(await admin.client('LIST')).toMatch(/ flags=b.* cmd=xreadgroup /))
  return { read }
}

describe('a lost connection', () => {
  test('rejects a blocking read that waits on it at once, and is made again', async () => {
    await admin.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM')
    const redis = await open({ role: 'blocking' })
    const { read } = await readBlocking(redis)
    const startedAt = performance.now()
    proxy.cut()
    await expect(read).rejects.toThrow()
    expect(performance.now() - startedAt).toBeLessThan(500)
    await whenReady(redis)
    await admin.xadd('s', '1-0', 'a', 'b')
    const again = await redis.xreadgroup('GROUP', 'g', 'c', 'COUNT', 10, 'BLOCK', 100, 'STREAMS', 's', '>')
    expect(again).toEqual([['s', [['1-0', ['a', 'b']]]]])
  })

  test('never sends a read again that its caller was told has failed', async () => {
    await admin.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM')
    const redis = await open({ role: 'blocking' })
    const { read } = await readBlocking(redis)
    proxy.cut()
    await expect(read).rejects.toThrow()
    await whenReady(redis)
    await admin.xadd('s', '1-0', 'a', 'b')
    await pause(100)
    expect(await admin.xpending('s', 'g')).toEqual([0, null, null, null])
  })

  test('rejects commands in flight, each of them, and does not run them later', async () => {
    const redis = await open()
    proxy.freeze()
    const commands = Promise.allSettled([redis.incr('n'), redis.incr('n'), redis.pipeline().incr('n').exec()])
    await pause(20)
    proxy.cut()
    const [first, second, pipeline] = await commands
    expect([first?.status, second?.status]).toEqual(['rejected', 'rejected'])
    expect(pipeline).toMatchObject({ status: 'fulfilled', value: [[expect.any(Error)]] })
    proxy.thaw()
    await whenReady(redis)
    expect(await redis.incr('n')).toBe(1)
  })

  test('is told about, and commands are rejected at once until it is back', async () => {
    const redis = await open()
    await proxy.close()
    await eventually(() => expect(errors.map((error) => error.message).join()).toContain('ECONNREFUSED'))
    const startedAt = performance.now()
    await expect(redis.ping()).rejects.toThrow()
    expect(performance.now() - startedAt).toBeLessThan(100)
    proxy = await createTcpProxy(url, proxy.port)
    await whenReady(redis)
    expect(await redis.ping()).toBe('PONG')
  })

  test('takes no command that would run once it is back', async () => {
    const redis = await open()
    await cutOff(redis)
    await expect(redis.incr('n')).rejects.toThrow()
    await whenReady(redis)
    expect(await redis.incr('n')).toBe(1)
  })

  test('of which nothing was heard is noticed by its silence', async () => {
    const redis = await open({ silenceMaxMs: 300 })
    proxy.freeze()
    const startedAt = performance.now()
    await expect(redis.ping()).rejects.toThrow()
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect(errors[0]?.message).toContain('Socket timeout')
    proxy.thaw()
    await whenReady(redis)
    expect(await redis.ping()).toBe('PONG')
  })

  test('under a blocking read is noticed by its silence, and the read fails instead of finding nothing', async () => {
    await admin.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM')
    const redis = await open({ role: 'blocking', silenceMaxMs: 3000 })
    const { read } = await readBlocking(redis, 2000)
    proxy.freeze()
    await expect(read).rejects.toThrow()
  })
})

describe('a connection', () => {
  test('waits in a blocking read for as long as it should, and then finds nothing', async () => {
    await admin.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM')
    const redis = await open({ role: 'blocking', silenceMaxMs: 2000 })
    for (let reads = 0; reads < 3; reads++) {
      expect(await redis.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 300, 'STREAMS', 's', '>')).toBeNull()
    }
    // Idle, it owes nobody a reply: silence is no reason to cut it.
    await pause(2200)
    expect([proxy.accepted(), errors]).toEqual([1, []])
  })

  test('is named after what it is for, whatever it is called', async () => {
    expect(await (await open({ name: 'reader of traces\n', role: 'blocking' })).client('GETNAME')).toBe(
      'observatory:reader-of-traces-:blocking',
    )
  })

  test('is made again when the server became a read-only replica', async () => {
    const redis = await open()
    await admin.replicaof('127.0.0.1', 1)
    try {
      await expect(redis.incr('n')).rejects.toThrow('READONLY')
      await eventually(() => expect(proxy.accepted()).toBeGreaterThan(1))
    } finally {
      await admin.replicaof('NO', 'ONE')
    }
    await whenReady(redis)
    expect(await redis.incr('n')).toBe(1)
  })

  test('that is closed cannot be waited for; waiting can be aborted', async () => {
    const redis = await open()
    redis.disconnect()
    await once(redis, 'end')
    await expect(whenReady(redis)).rejects.toThrow('closed')
    await proxy.close()
    const away = createRedis({ url: proxyUrl, role: 'commands', name: 'away', onError: () => undefined })
    clients.push(away)
    const stopping = new AbortController()
    const waiting = whenReady(away, stopping.signal)
    stopping.abort(new Error('stop'))
    await expect(waiting).rejects.toThrow('stop')
    expect([away.listenerCount('ready'), away.listenerCount('end')]).toEqual([0, 0])
    proxy = await createTcpProxy(url)
  })
})

describe('waiting for Redis', () => {
  const wait = async (options: Partial<WaitForRedisOptions> = {}) => {
    const startedAt = performance.now()
    const outcome = await waitForRedis({ url, timeoutMs: 20_000, ...options }).catch(
      (error: unknown) => error,
    )
    return { outcome, ms: performance.now() - startedAt }
  }

  test('ends at once when it answers, with its version', async () => {
    const { outcome } = await wait()
    expect(outcome).toEqual({
      redisVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      label: expect.stringMatching(/^(Redis|Valkey) \d/),
    })
  })

  test('ends when it starts to answer, and says once that it waits', async () => {
    await proxy.close()
    const lines: string[] = []
    const log = { info: (line: unknown) => void lines.push(String(line)) }
    const waited = wait({ url: proxyUrl, log })
    await eventually(() => expect(lines).toHaveLength(1))
    await pause(400)
    proxy = await createTcpProxy(url, proxy.port)
    expect((await waited).outcome).toHaveProperty('redisVersion')
    expect(lines).toEqual([expect.stringMatching(/^waiting for Redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)])
  })

  test('goes on while it loads its data', async () => {
    const pipeline = admin.pipeline()
    for (let i = 0; i < 400; i++) pipeline.set(`key ${i}`, 'x'.repeat(100))
    await pipeline.exec()
    await admin.config('SET', 'key-load-delay', 10_000, 'loading-process-events-interval-bytes', 1024)
    const loading = admin.call('DEBUG', 'RELOAD')
    await pause(200)
    const { outcome, ms } = await wait()
    await loading
    await admin.config('SET', 'key-load-delay', 0)
    expect(outcome).toHaveProperty('redisVersion')
    expect(ms).toBeGreaterThan(200)
  })

  test('gives up in time, naming host, port and the last cause, but not the password', async () => {
    await proxy.close()
    const { outcome, ms } = await wait({ url: `redis://:hunter2@127.0.0.1:${proxy.port}`, timeoutMs: 300 })
    proxy = await createTcpProxy(url)
    expect(outcome).toMatchObject({ code: 'ERR_SERVER_UNREACHABLE', cause: { code: 'ECONNREFUSED' } })
    expect((outcome as Error).message).toMatch(/Redis at 127\.0\.0\.1:\d+ did not answer within 300 ms/)
    expect((outcome as Error).message).not.toContain('hunter2')
    expect(ms).toBeLessThan(1500)
  })

  test('gives up on a server that accepts and then says nothing', async () => {
    proxy.freeze()
    const { outcome, ms } = await wait({ url: proxyUrl, timeoutMs: 300 })
    expect(outcome).toMatchObject({ code: 'ERR_SERVER_UNREACHABLE' })
    expect(ms).toBeLessThan(3000)
  })

  test('ends as soon as it is aborted, with the reason', async () => {
    proxy.freeze()
    const stopping = new AbortController()
    setTimeout(() => stopping.abort(new Error('stop')), 50)
    const { outcome, ms } = await wait({ url: proxyUrl, signal: stopping.signal })
    expect(outcome).toMatchObject({ message: 'stop' })
    expect(ms).toBeLessThan(1000)
  })

  test('a wrong password, none, or a database that does not exist, is an error at once', async () => {
    await admin.call('ACL', 'SETUSER', 'someone', 'on', '>right', '~*', '+@all')
    const at = url.replace('redis://', '')
    await admin.config('SET', 'requirepass', 'right')
    try {
      for (const [wrong, message] of [
        [`redis://someone:wrong@${at}`, 'WRONGPASS'],
        [`redis://:wrong@${at}`, 'WRONGPASS'],
        [`redis://${at}`, 'NOAUTH'],
        [`redis://:right@${at}/9999`, 'DB index'],
      ] as const) {
        const { outcome, ms } = await wait({ url: wrong })
        expect(outcome, wrong).toMatchObject({
          code: 'ERR_CONFIG_INVALID',
          message: expect.stringContaining(message),
        })
        expect(ms).toBeLessThan(3000)
      }
      expect((await wait({ url: `redis://:right@${at}/1` })).outcome).toHaveProperty('redisVersion')
      expect((await wait({ url: `redis://someone:right@${at}` })).outcome).toHaveProperty('redisVersion')
    } finally {
      await admin.config('SET', 'requirepass', '')
      await admin.call('ACL', 'DELUSER', 'someone')
    }
  })
})

describe('warnings', () => {
  const warned = async (settings: Record<string, string>) => {
    const entries = Object.entries(settings).flat()
    await admin.config('SET', ...(entries as [string, string]))
    const warnings = await redisSafetyWarnings(await open())
    return warnings.map(({ setting, value }) => `${setting} ${value}`)
  }
  const safe = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' }

  test('name each setting with which Redis can lose what it accepted', async () => {
    expect(await warned(safe)).toEqual([])
    expect(await warned({ ...safe, appendfsync: 'everysec' })).toEqual(['appendfsync everysec'])
    expect(await warned({ ...safe, appendfsync: 'no' })).toEqual(['appendfsync no'])
    expect(await warned({ ...safe, appendonly: 'no', 'maxmemory-policy': 'allkeys-lru' })).toEqual([
      'appendonly no',
      'maxmemory-policy allkeys-lru',
    ])
  })

  test('say what could not be checked where CONFIG is forbidden', async () => {
    await admin.call('ACL', 'SETUSER', 'someone', 'on', '>right', '~*', '+@all', '-config')
    try {
      const redis = await open({ url: proxyUrl.replace('//', '//someone:right@') })
      const warnings = await redisSafetyWarnings(redis)
      expect(warnings.map(({ setting }) => setting)).toEqual([
        'appendonly',
        'appendfsync',
        'maxmemory-policy',
      ])
      expect(
        warnings.every(({ value, advice }) => value === undefined && /could not be checked/.test(advice)),
      ).toBe(true)
      await cutOff(redis)
      await expect(
        redisSafetyWarnings(redis),
        'a lost connection is not a forbidden CONFIG',
      ).rejects.toThrow()
    } finally {
      await admin.call('ACL', 'DELUSER', 'someone')
    }
  })
})

describe('a connection that was cut off while it was being made, which ioredis gives up for good', () => {
  async function cutOff(): Promise<{ redis: Redis; stopReviving: () => void }> {
    const redis = createRedis({ url: proxyUrl, role: 'commands', name: 'test', onError: () => undefined })
    clients.push(redis)
    const stopReviving = reviveWhenEnded(redis)
    redis.disconnect(true)
    await new Promise<void>((resolve) => redis.once('end', () => resolve()))
    return { redis, stopReviving }
  }

  test('is made again', async () => {
    const { redis, stopReviving } = await cutOff()
    await eventually(async () => expect(await redis.ping()).toBe('PONG'))
    stopReviving()
  })

  test('is not when that was on purpose', async () => {
    const { redis, stopReviving } = await cutOff()
    stopReviving()
    await pause(1500)
    expect(redis.status).toBe('end')
  })
})

test('a connection that is closed while it is being made fails without a word', async () => {
  const told: string[] = []
  const onError = ({ message }: Error) => void told.push(message)
  const opened = Array.from({ length: 20 }, () =>
    openRevivedRedis({ url, role: 'commands', name: 'closed', onError }),
  )
  // Before each of them has said hello.
  for (const { redis, close } of opened) redis.once('connect', () => process.nextTick(close))
  // events.once would be rejected by the error.
  await Promise.all(opened.map(({ redis }) => new Promise((resolve) => redis.once('close', resolve))))
  await pause(50)
  expect(told).toEqual([])
})
