import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { endWith, observatory } from '../helpers/observatory.ts'
import { select } from '../helpers/stored.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

let databaseUrl: string
let stream: string
let directUrl: string
let redis: Redis
let env: Record<string, string>
let worker: ChildProcess | undefined

beforeEach(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  const { prefix, redisUrl } = await createTestPrefix()
  stream = `${prefix}:logs`
  directUrl = redisUrl
  redis = new Redis(redisUrl)
  env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
    BATCH_MAX_ROWS: '500',
  }
})

afterEach(async () => {
  if (worker !== undefined) await endWith(worker, 'SIGKILL')
  worker = undefined
  redis.disconnect()
})

async function add(entries: number, bytes = 100): Promise<void> {
  const padding = 'x'.repeat(bytes)
  for (let from = 0; from < entries; from += 1000) {
    const pipeline = redis.pipeline()
    for (let n = from; n < Math.min(entries, from + 1000); n += 1) {
      pipeline.xadd(stream, '*', 'message', `record ${n}`, 'padding', padding)
    }
    await pipeline.exec()
  }
}

async function rows(): Promise<{ rows: number; bodies: number }> {
  const [counts] = await select<{ rows: number; bodies: number }>(
    databaseUrl,
    'select count(*)::int as rows, count(distinct body)::int as bodies from log_records',
  )
  return counts ?? { rows: -1, bodies: -1 }
}

/** What was delivered to the group, and how many of it are pending. */
async function group(): Promise<{ delivered: number; pending: number }> {
  const [fields] = (await redis.xinfo('GROUPS', stream)) as [(string | number)[]]
  const field = (name: string) => Number(fields[fields.indexOf(name) + 1])
  return { delivered: field('entries-read'), pending: field('pending') }
}

const until = (condition: () => Promise<void>) => eventually(condition, { timeoutMs: 60_000 })

test('SIGTERM in the middle of a load: what was read is committed and acknowledged, the rest is left in the stream', async () => {
  await add(40_000)
  worker = observatory(['serve', '--only', 'ingest'], env)
  await until(async () => expect((await rows()).rows).toBeGreaterThan(1000))
  // However slowly this process goes on, the worker has not read all of it by then.
  const locker = await openClient({ databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  const ended = endWith(worker, 'SIGTERM')
  await delay(500)
  await locker.end()
  expect(await ended).toBe(0)
  const { delivered, pending } = await group()
  expect(pending).toBe(0)
  expect(delivered).toBeGreaterThan(1000)
  expect(delivered, 'it was stopped in the middle').toBeLessThan(40_000)
  expect(await rows()).toEqual({ rows: delivered, bodies: delivered })
})

/** A worker that holds entries, for their table is locked. @returns the lock. */
async function untilHolding(): Promise<pg.Client> {
  worker = observatory(['serve', '--only', 'ingest'], env)
  await until(async () => expect(await redis.exists(stream)).toBe(1))
  const locker = await openClient({ databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  await add(100)
  await until(async () => expect((await group()).pending).toBe(100))
  // Delivered by Redis is not yet received.
  await delay(500)
  return locker
}

/** Has the worker reach Redis through a proxy. */
async function throughProxy(): Promise<TcpProxy> {
  const proxy = await createTcpProxy(directUrl)
  const url = new URL(directUrl)
  url.port = String(proxy.port)
  env.REDIS_URL = url.href
  // No read is under way any more when the connections are lost.
  env.READ_BLOCK_MS = '50'
  return proxy
}

describe('SIGTERM leaves nothing pending of what was committed', () => {
  test('when PostgreSQL takes longer than a read may block', async () => {
    env.READ_BLOCK_MS = '50'
    const locker = await untilHolding()
    const ended = endWith(worker as ChildProcess, 'SIGTERM')
    await delay(4000)
    await locker.end()
    expect(await ended).toBe(0)
    expect(await rows()).toEqual({ rows: 100, bodies: 100 })
    expect((await group()).pending).toBe(0)
  })

  test.each([
    [
      'before',
      async (proxy: TcpProxy, stop: () => void) => {
        proxy.cut()
        await delay(300)
        stop()
        await delay(300)
        return proxy
      },
    ],
    [
      'after',
      async (proxy: TcpProxy, stop: () => void) => {
        stop()
        await delay(1000)
        proxy.cut()
        await delay(500)
        return proxy
      },
    ],
    [
      'before, and Redis came back after',
      async (proxy: TcpProxy, stop: () => void) => {
        await proxy.close()
        await delay(300)
        stop()
        await delay(1500)
        const again = await createTcpProxy(directUrl, proxy.port)
        // A new attempt to connect is made every 5 s at least.
        await delay(6000)
        return again
      },
    ],
  ])('when the connections to Redis were lost %s it was told to stop', async (_, lose) => {
    let proxy = await throughProxy()
    try {
      const locker = await untilHolding()
      let ended: Promise<number | null> | undefined
      proxy = await lose(proxy, () => {
        ended = endWith(worker as ChildProcess, 'SIGTERM')
      })
      await locker.end()
      expect(await ended).toBe(0)
      expect(await rows()).toEqual({ rows: 100, bodies: 100 })
      expect((await group()).pending).toBe(0)
    } finally {
      await proxy.close()
    }
  })
})

test('SIGTERM with connections that were lost, and a Redis that goes away for good: what was read is committed, and it ends', async () => {
  const proxy = await throughProxy()
  const locker = await untilHolding()
  proxy.cut()
  await delay(300)
  const ended = endWith(worker as ChildProcess, 'SIGTERM')
  await delay(500)
  await proxy.close()
  await locker.end()
  const freedAt = performance.now()
  expect(await ended).toBe(0)
  expect(performance.now() - freedAt).toBeLessThan(6000)
  expect(await rows()).toEqual({ rows: 100, bodies: 100 })
})

test('a second signal ends it at once, and after the next start each record is there once', async () => {
  await add(5000)
  worker = observatory(['serve', '--only', 'ingest'], env)
  await until(async () => expect((await rows()).rows).toBeGreaterThan(500))
  const locker = await openClient({ databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  await until(async () => expect((await group()).pending).toBeGreaterThan(0))
  worker.kill('SIGTERM')
  await delay(1500)
  expect(worker.exitCode, 'it waits for PostgreSQL').toBeNull()
  const started = performance.now()
  expect(await endWith(worker, 'SIGTERM')).toBe(143)
  expect(performance.now() - started).toBeLessThan(500)
  expect((await group()).pending, 'entries were held').toBeGreaterThan(0)
  await locker.end()

  worker = observatory(['serve', '--only', 'ingest'], env)
  await until(async () => expect(await rows()).toEqual({ rows: 5000, bodies: 5000 }))
  await until(async () => expect((await group()).pending).toBe(0))
})

test('a backlog much larger than its memory is ingested under a memory limit', async () => {
  const entries = 40_000
  await add(entries, 5000)
  env.NODE_OPTIONS = '--max-old-space-size=128'
  worker = observatory(['serve', '--only', 'ingest'], env)
  await until(async () => expect((await rows()).rows).toBe(entries))
  const status = await readFile(`/proc/${worker.pid}/status`, 'utf8').catch(() => '')
  const peakMb = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
  expect(peakMb, 'peak RSS in MB').toBeLessThan(500)
}, 120_000)
