import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { encodeOtlp } from '../helpers/otlp-protobuf.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const MIB = 1024 * 1024
const MAX_RSS = 400 * MIB
const CONNECTIONS = 10_000

let service: RunningCommand
let url: URL
let databaseUrl: string

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  const { prefix, redisUrl } = await createTestPrefix()
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, STREAM_PREFIX: prefix, HTTP_PORT: '0' }
  service = new RunningCommand(['serve'], { env, cwd: '/tmp' })
  await service.says('"msg":"started"')
  const started = service.stderr.split('\n').find((line) => line.includes('"msg":"started"')) ?? '{}'
  url = new URL('/v1/logs', (JSON.parse(started) as { url: string }).url)
})
afterAll(() => service?.kill())

/** The most memory that the service has held so far; undefined where the system does not tell. */
async function peakRss(): Promise<number | undefined> {
  const status = await readFile(`/proc/${service.child.pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(status)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

async function post(body: Buffer, headers: Record<string, string> = {}): Promise<number> {
  const type = { 'content-type': 'application/x-protobuf' }
  const response = await fetch(url, { method: 'POST', headers: { ...type, ...headers }, body })
  await response.arrayBuffer()
  return response.status
}

const logOf = (text: string) => ({
  timeUnixNano: `${Date.now()}000000`,
  body: { stringValue: text },
})
const requestOf = (logRecords: readonly object[]) =>
  encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
const rows = async (like: string) =>
  (await select(databaseUrl, `select count(*)::int as n from log_view where body like $1`, [like]))[0]?.n

test('a body of 64 MiB is taken, and each record of it stored once', async () => {
  const records = Array.from({ length: 16_000 }, (_, index) => logOf(`large ${index} ${'x'.repeat(4100)}`))
  const body = requestOf(records)
  expect(body.length).toBeGreaterThan(62 * MIB)
  expect(body.length).toBeLessThanOrEqual(64 * MIB)
  expect(await post(body)).toBe(200)
  await eventually(async () => expect(await rows('large %')).toBe(16_000), { timeoutMs: 60_000 })
  expect(await post(Buffer.alloc(64 * MIB + 1))).toBe(413)
}, 120_000)

test('a gzip bomb is not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(1024 * MIB))
  expect(await post(bomb, { 'content-encoding': 'gzip' })).toBe(413)
})

test('ten thousand connections at once are answered, each with its own answer', async () => {
  const body = requestOf([logOf('crowd')])
  const head = (length: number) =>
    `POST ${url.pathname} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n`
  const sockets = await connected(CONNECTIONS)
  const answers = sockets.map((socket) => answerOf(socket))
  // Every other one sends something that cannot be read.
  for (const [index, socket] of sockets.entries()) {
    const sent = index % 2 === 0 ? body : body.subarray(0, -1)
    socket.write(head(sent.length))
    socket.write(sent)
  }
  const statuses = await Promise.all(answers)
  const count = (status: string) => statuses.filter((each) => each === status).length
  expect([count('200'), count('400')]).toEqual([CONNECTIONS / 2, CONNECTIONS / 2])
  // One and the same body, sent again and again.
  await eventually(async () => expect(await rows('crowd')).toBe(1))
}, 120_000)

test('meanwhile the service held no more memory than 400 MB, and is well', async () => {
  const peak = await peakRss()
  if (peak !== undefined) expect(peak).toBeLessThan(MAX_RSS)
  expect((await fetch(new URL('/readyz', url))).status).toBe(200)
})

/** Opened a hundred at a time: more would wait in the queue of the listener. */
async function connected(count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const opened = Array.from(
      { length: Math.min(100, count - sockets.length) },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host: url.hostname, port: Number(url.port) })
          socket.once('connect', () => resolve(socket)).once('error', reject)
        }),
    )
    sockets.push(...(await Promise.all(opened)))
  }
  return sockets
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.once('error', (error) => resolve(error.message))
    socket.once('close', () => resolve(text.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3)))
  })
}
