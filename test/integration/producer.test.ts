import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addOnce } from '../../src/producer/add-once.ts'
import { createProducer, type Producer, type ProducerOptions } from '../../src/producer.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'

/** A Redis of this file's own, that may be killed, paused and filled. Every write is on disk before it is answered. */
class OwnRedis {
  #process: ChildProcess | undefined
  #dir = ''
  #port = 0

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  async start(...more: string[]): Promise<void> {
    this.#dir ||= await mkdtemp(join(tmpdir(), 'producer-test-'))
    this.#port ||= await freePort()
    const settings = ['--bind', '127.0.0.1', '--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    const args = ['--port', String(this.#port), '--dir', this.#dir, ...settings, ...more]
    this.#process = spawn('redis-server', args, { stdio: 'ignore' })
    await this.ask((client) => client.ping())
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name)
  }

  async kill(): Promise<void> {
    const redis = this.#process
    if (redis === undefined || redis.exitCode !== null || redis.signalCode !== null) return
    const ended = once(redis, 'exit')
    redis.kill('SIGKILL')
    await ended
  }

  async end(): Promise<void> {
    await this.kill()
    await rm(this.#dir, { recursive: true, force: true })
  }

  /** Asks by a connection of its own, patiently: the server may be starting. */
  async ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
    client.on('error', () => undefined)
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  /** The records of a stream, in order. */
  async records(stream: string): Promise<Record<string, unknown>[]> {
    const entries = await this.ask((client) => client.xrange(stream, '-', '+'))
    return entries.flatMap(([, [, json]]) => JSON.parse(json ?? '[]') as Record<string, unknown>[])
  }
}

/** Stands between a client and Redis. When armed, it lets the next script through and then loses its reply. */
class ReplyLosingProxy {
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  armed = false
  lost = 0

  async start(targetPort: number): Promise<string> {
    this.#server = createServer((client) => this.#relay(client, connect(targetPort, '127.0.0.1')))
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #relay(client: Socket, server: Socket): void {
    let losing = false
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', (data) => {
      if (this.armed && /evalsha/i.test(data.toString('latin1'))) {
        this.armed = false
        losing = true
      }
      server.write(data)
    })
    server.on('data', (data) => {
      if (!losing) return void client.write(data)
      this.lost++
      client.destroy()
    })
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.close()
  }
}

let redis: OwnRedis
let producers: Producer[]
let proxy: ReplyLosingProxy

beforeEach(async () => {
  redis = new OwnRedis()
  producers = []
  proxy = new ReplyLosingProxy()
  await redis.start()
})

afterEach(async () => {
  for (const producer of producers) await producer.close({ timeoutMs: 100 }).catch(() => undefined)
  proxy.end()
  await redis.end()
})

function produce(options: ProducerOptions): Producer {
  const producer = createProducer(options)
  producers.push(producer)
  return producer
}

function callsOf(commandStats: string, command: string): number {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(commandStats)?.[1] ?? 0)
}

test('records become entries of form json, and are there when flush resolves', async () => {
  const producer = produce({ url: redis.url, maxBatchRecords: 10 })
  for (let n = 0; n < 25; n++) expect(await producer.add('logs', { n })).toBeUndefined()
  await producer.flush()
  expect((await redis.records('telemetry:logs')).map(({ n }) => n)).toEqual([...Array(25).keys()])
  expect(await redis.ask((client) => client.xlen('telemetry:logs'))).toBe(3)
  expect(producer.stats()).toEqual({
    bufferedRecords: 0,
    inFlightBytes: 0,
    sentRecords: 25,
    sentEntries: 3,
    repeatedRecords: 0,
    repeatedEntries: 0,
    resentEntries: 0,
    refusedRecords: 0,
    failedRecords: 0,
  })
})

test('a record does not wait longer than maxDelayMs for others', async () => {
  const producer = produce({ url: redis.url, maxDelayMs: 20 })
  await producer.add('traces', { name: 'lonely' })
  await eventually(async () => expect(await redis.records('telemetry:traces')).toHaveLength(1))
})

test('an add whose reply was lost is repeated, stores once, and is answered with the first id', async () => {
  const url = await proxy.start(redis.port)
  const producer = produce({ url })
  await producer.add('logs', { n: 0 })
  await producer.flush()
  proxy.armed = true
  await producer.add('logs', { n: 1 })
  await producer.flush()
  expect(proxy.lost).toBe(1)
  expect(await redis.records('telemetry:logs')).toEqual([{ n: 0 }, { n: 1 }])
  expect(producer.stats()).toMatchObject({
    sentRecords: 2,
    sentEntries: 2,
    resentEntries: 1,
    repeatedRecords: 0,
  })
  // Only a repeat makes the script GET: the first send did run, so the second one could have doubled it.
  const stats = await redis.ask((client) => client.info('commandstats'))
  expect([callsOf(stats, 'xadd'), callsOf(stats, 'get')]).toEqual([2, 1])
})

test('an entry added twice under one key is one entry with one id', async () => {
  await redis.ask(async (client) => {
    const entry = { stream: 'telemetry:logs', key: 'k', fields: { json: '[{}]' } }
    const first = await addOnce(client, entry)
    expect(first.repeated).toBe(false)
    expect(await addOnce(client, entry)).toEqual({ id: first.id, repeated: true })
    expect(await client.xlen('telemetry:logs')).toBe(1)
    const ttl = await client.ttl('{telemetry:logs}:idem:k')
    expect(ttl).toBeGreaterThan(3500)
    expect(ttl).toBeLessThanOrEqual(3600)
  })
})

test('without a key equal fields are one entry and different ones are two', async () => {
  await redis.ask(async (client) => {
    const add = (otlp: Buffer) => addOnce(client, { stream: 'telemetry:traces', fields: { otlp } })
    const first = await add(Buffer.from([0x0a, 0xff, 0x00]))
    expect(await add(Buffer.from([0x0a, 0xff, 0x00]))).toEqual({ id: first.id, repeated: true })
    expect((await add(Buffer.from([0x0a, 0xfe, 0x00]))).repeated).toBe(false)
    const [entry] = await client.xrangeBuffer('telemetry:traces', '-', '+', 'COUNT', 1)
    expect(entry?.[1]).toEqual([Buffer.from('otlp'), Buffer.from([0x0a, 0xff, 0x00])])
  })
})

test('an add that Redis refused does not block its key', async () => {
  await redis.ask(async (client) => {
    await client.set('telemetry:logs', 'not a stream')
    const entry = { stream: 'telemetry:logs', key: 'k', fields: { json: '[{}]' } }
    await expect(addOnce(client, entry)).rejects.toThrow('WRONGTYPE')
    await client.del('telemetry:logs')
    expect((await addOnce(client, entry)).repeated).toBe(false)
    expect(await client.xlen('telemetry:logs')).toBe(1)
  })
})

test('in a Redis Cluster the keys of an add share a slot', async () => {
  await redis.kill()
  await redis.start('--cluster-enabled', 'yes')
  await redis.ask(async (client) => {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(async () => expect(await client.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'))
    for (const stream of ['telemetry:logs', 'telemetry:logs:{3}']) {
      const first = await addOnce(client, { stream, fields: { json: '[{}]' } })
      expect(await addOnce(client, { stream, fields: { json: '[{}]' } })).toEqual({
        id: first.id,
        repeated: true,
      })
    }
  })
})

test('equal records that the application adds stay as many as they were', async () => {
  const producer = produce({ url: redis.url, maxBatchRecords: 1 })
  for (let n = 0; n < 3; n++) await producer.add('logs', { message: 'same' })
  await producer.flush()
  expect(await redis.records('telemetry:logs')).toHaveLength(3)
})

test('a batch under a key of the caller is added once, by whomever', async () => {
  const first = produce({ url: redis.url })
  const second = produce({ url: redis.url })
  for (const producer of [first, second]) {
    await producer.addBatch('logs', [{ n: 1 }, { n: 2 }], 'import-7:1')
    await producer.flush()
  }
  expect(await redis.records('telemetry:logs')).toEqual([{ n: 1 }, { n: 2 }])
  expect(first.stats()).toMatchObject({ sentRecords: 2, repeatedRecords: 0 })
  expect(second.stats()).toMatchObject({ sentRecords: 0, repeatedRecords: 2, repeatedEntries: 1 })
})

test('a record that is too large is refused alone', async () => {
  const producer = produce({ url: redis.url, maxBatchBytes: 1000 })
  expect(await producer.add('logs', { n: 1 })).toBeUndefined()
  expect(await producer.add('logs', { n: 2, body: 'x'.repeat(1000) })).toMatchObject({ reason: 'too_large' })
  const self: { self?: unknown } = {}
  self.self = self
  expect(await producer.add('logs', self)).toMatchObject({ reason: 'wrong_type' })
  expect(await producer.add('logs', { n: 3 })).toBeUndefined()
  await producer.flush()
  expect(await redis.records('telemetry:logs')).toEqual([{ n: 1 }, { n: 3 }])
  expect(producer.stats()).toMatchObject({ sentRecords: 2, refusedRecords: 2, failedRecords: 0 })
})

test('no entry is larger than maxBatchBytes', async () => {
  const producer = produce({ url: redis.url, maxBatchBytes: 1000 })
  for (let n = 0; n < 50; n++) await producer.add('logs', { n, body: 'ä'.repeat(60) })
  await producer.flush()
  const entries = await redis.ask((client) => client.xrange('telemetry:logs', '-', '+'))
  const sizes = entries.map(([, [, json]]) => Buffer.byteLength(json ?? ''))
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1000)
  expect(Math.max(...sizes)).toBeGreaterThan(800)
})

test('while Redis is paused add waits and memory stays bounded, and nothing is lost', async () => {
  const maxInFlightBytes = 64 * 1024
  const client = new Redis(redis.url)
  const producer = produce({ redis: client, maxInFlightBytes, maxBatchBytes: 16 * 1024 })
  await producer.add('logs', { n: -1 })
  await producer.flush()
  redis.signal('SIGSTOP')
  let taken = 0
  const adding = (async () => {
    for (let n = 0; n < 500; n++) {
      await producer.add('logs', { n, body: 'x'.repeat(1000) })
      taken++
    }
  })()
  await eventually(() => expect(taken).toBeGreaterThan(50))
  await sleep(300)
  expect(taken).toBeLessThan(maxInFlightBytes / 1000)
  expect(producer.stats().inFlightBytes).toBeLessThanOrEqual(maxInFlightBytes)
  redis.signal('SIGCONT')
  await adding
  await producer.close()
  expect((await redis.records('telemetry:logs')).map(({ n }) => n).sort(byNumber)).toEqual(numbers(-1, 500))
  expect(client.status).toBe('ready')
  client.disconnect()
})

function byNumber(a: unknown, b: unknown): number {
  return Number(a) - Number(b)
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test.each(['its own connection', 'a connection of the caller'])(
  'a Redis killed and started again in the middle loses and doubles nothing, with %s',
  async (connection) => {
    const client = connection === 'its own connection' ? undefined : new Redis(redis.url)
    client?.on('error', () => undefined)
    const troubles: Error[] = []
    const producer = produce({
      ...(client === undefined ? { url: redis.url } : { redis: client }),
      maxBatchRecords: 5,
      maxInFlightBytes: 64 * 1024,
      maxBatchBytes: 16 * 1024,
      onError: (error) => troubles.push(error),
    })
    let n = 0
    let stopped = false
    const adding = (async () => {
      for (; !stopped; n++) {
        await producer.add('logs', { n, body: 'x'.repeat(200) })
        if (n % 20 === 0) await sleep(1)
      }
    })()
    for (let strike = 0; strike < 2; strike++) {
      const before = producer.stats().sentRecords
      await eventually(() => expect(producer.stats().sentRecords).toBeGreaterThan(before + 200))
      await redis.kill()
      await sleep(100)
      await redis.start()
    }
    const recovered = producer.stats().sentRecords
    await eventually(() => expect(producer.stats().sentRecords).toBeGreaterThan(recovered + 200))
    stopped = true
    await adding
    await producer.close()
    const stored = (await redis.records('telemetry:logs')).map((record) => record.n)
    expect(stored.sort(byNumber)).toEqual(numbers(0, n))
    expect(producer.stats()).toMatchObject({ sentRecords: n, failedRecords: 0 })
    if (client === undefined) expect(troubles).not.toEqual([])
    client?.disconnect()
  },
)

test('a full Redis is waited for', async () => {
  const troubles: string[] = []
  const producer = produce({ url: redis.url, onError: (error) => troubles.push(error.message) })
  await redis.ask((client) => client.config('SET', 'maxmemory', '1'))
  await producer.add('logs', { n: 1 })
  const flushing = producer.flush()
  await eventually(() => expect(troubles.join()).toContain('OOM'))
  await sleep(100)
  expect(producer.stats().sentRecords).toBe(0)
  await redis.ask((client) => client.config('SET', 'maxmemory', '0'))
  await flushing
  expect(await redis.records('telemetry:logs')).toEqual([{ n: 1 }])
})

test('what Redis refuses for good fails the flush, and other streams go on', async () => {
  await redis.ask((client) => client.set('telemetry:logs', 'not a stream'))
  const producer = produce({ url: redis.url })
  await producer.add('logs', { body: 'secret' })
  await producer.add('traces', { n: 1 })
  const failure = await producer.flush().catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 'ERR_SERVER_UNSUITABLE',
    message: expect.stringContaining('WRONGTYPE'),
  })
  expect(JSON.stringify((failure as Error).cause)).not.toContain('secret')
  expect(producer.stats()).toMatchObject({ sentRecords: 1, failedRecords: 1, inFlightBytes: 0 })
  await redis.ask((client) => client.del('telemetry:logs'))
  await producer.add('logs', { n: 2 })
  await producer.flush()
  expect(await redis.records('telemetry:logs')).toEqual([{ n: 2 }])
})

test('closing without Redis ends in time and says how many records are not confirmed', async () => {
  const producer = produce({ url: redis.url, maxInFlightBytes: 4000, maxBatchBytes: 1000 })
  await producer.add('logs', { n: 1 })
  await producer.flush()
  await redis.kill()
  const adding = (async () => {
    for (let n = 0; n < 20; n++) await producer.add('logs', { n, body: 'x'.repeat(500) })
  })()
  const turnedAway = expect(adding).rejects.toMatchObject({ code: 'ERR_PRODUCER_CLOSED' })
  await eventually(() => expect(producer.stats().inFlightBytes).toBeGreaterThan(3000))
  const closing = producer.close({ timeoutMs: 300 })
  await expect(closing).rejects.toMatchObject({
    code: 'ERR_SERVER_UNREACHABLE',
    message: expect.stringContaining('did not acknowledge 7 records within 300 ms'),
  })
  await turnedAway
  await expect(producer.add('logs', {})).rejects.toMatchObject({ code: 'ERR_PRODUCER_CLOSED' })
  expect(producer.stats()).toMatchObject({ sentRecords: 1, failedRecords: 7, inFlightBytes: 0 })
})

test('closing ends in time even when a connection of the caller hangs for ever', async () => {
  const client = new Redis(redis.url)
  const producer = produce({ redis: client })
  await producer.add('logs', { n: 1 })
  await producer.flush()
  redis.signal('SIGSTOP')
  await producer.add('logs', { n: 2 })
  const closing = producer.close({ timeoutMs: 200 })
  await expect(closing).rejects.toMatchObject({ code: 'ERR_SERVER_UNREACHABLE' })
  expect(producer.stats()).toMatchObject({ sentRecords: 1, failedRecords: 1 })
  client.disconnect()
})
