import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SendOptions, send } from '../../src/commands/send.ts'
import { joinServers } from '../../src/embedded/servers.ts'
import { type RunningServer, readServersFile } from '../../src/embedded/servers-file.ts'
import { isRunning } from '../../src/process-identity.ts'
import { SETTINGS } from '../../src/settings.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTestPrefix, withRedis } from '../helpers/test-redis.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))

let folder: string
let streamPrefix: string
let redisUrl: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'send-test-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

beforeEach(async () => {
  const test = await createTestPrefix()
  streamPrefix = test.prefix
  redisUrl = test.redisUrl
})

const ACCEPTED = {
  acceptPastDays: SETTINGS.acceptPastDays.default,
  acceptFutureDays: SETTINGS.acceptFutureDays.default,
  recordMaxBytes: SETTINGS.recordMaxBytes.default,
  recordMaxDepth: SETTINGS.recordMaxDepth.default,
}

function sendTest(options: Partial<SendOptions>) {
  return send({
    telemetrySignal: 'traces',
    format: 'csv',
    path: undefined,
    stdin: Readable.from([]),
    redisUrl,
    streamPrefix,
    accepted: ACCEPTED,
    signal: new AbortController().signal,
    output: { write: () => undefined },
    ...options,
  })
}

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

type StoredRecord = Record<string, unknown> & { readonly attributes: Record<string, unknown> }

/** What is in the stream, by start: entries may be added in another order than their records were sent. */
async function stored(telemetrySignal = 'traces'): Promise<StoredRecord[]> {
  const entries = await withRedis((client) => client.xrange(`${streamPrefix}:${telemetrySignal}`, '-', '+'))
  const records = entries.flatMap(([, [, json]]) => JSON.parse(json ?? '[]') as StoredRecord[])
  const start = ({ startTimeUnixNano = 0 }: StoredRecord) => BigInt(String(startTimeUnixNano))
  return records.sort((a, b) => Number(start(a) - start(b)))
}

const CALLS = 1234
const MAP = [
  'when=startTime,in=attributes.gen_ai.usage.input_tokens,out=attributes.gen_ai.usage.output_tokens',
]
const SET = ['name=chat,service=azure']

/** Calls a tenth of a second and 7 × 100 ns apart, long ago. */
function callsCsv(rows = CALLS): string {
  const lines = ['when,in,out']
  for (let n = 0; n < rows; n++) {
    const time = new Date(Date.UTC(2019, 4, 1) + n * 100).toISOString()
    const fraction = `${time.slice(20, 23)}${String((n * 7) % 10_000).padStart(4, '0')}`
    lines.push(`${time.slice(0, 10)} ${time.slice(11, 19)}.${fraction},${n},${n % 13}`)
  }
  return lines.join('\n')
}

/** The sum of 0, 1, …, n − 1. */
const sumBelow = (n: number) => (n * (n - 1)) / 2

test('a CSV file of old calls arrives complete, at now, with its distances kept', async () => {
  const path = await file('calls.csv', callsCsv())
  const now = new Date('2026-03-01T12:00:00.123Z')
  const summary = await sendTest({ path, map: MAP, set: SET, shiftToNow: true, now: () => now, batch: 50 })
  expect(summary).toMatchObject({ sent: CALLS, entries: 25, refused: 0, failed: 0, interrupted: false })
  const spans = await stored()
  const total = (key: string) => spans.reduce((sum, { attributes }) => sum + Number(attributes[key]), 0)
  expect(total('gen_ai.usage.input_tokens')).toBe(sumBelow(CALLS))
  expect(total('gen_ai.usage.output_tokens')).toBe(
    [...Array(CALLS).keys()].reduce((sum, n) => sum + (n % 13), 0),
  )
  const starts = spans.map(({ startTimeUnixNano }) => BigInt(String(startTimeUnixNano)))
  expect(starts.at(-1)).toBe(BigInt(now.getTime()) * 1_000_000n)
  expect((starts.at(-1) ?? 0n) - (starts[0] ?? 0n)).toBe(
    BigInt(CALLS - 1) * 100_000_000n + BigInt(CALLS - 1) * 700n,
  )
  expect(new Set(spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`)).size).toBe(CALLS)
  expect(spans[7]).toMatchObject({ name: 'chat', service: 'azure' })
})

test('standard input can be shifted to now, and what was put aside for that is deleted', async () => {
  const before = await readdir(tmpdir())
  const stdin = Readable.from([Buffer.from(callsCsv(300))])
  const summary = await sendTest({ stdin, map: MAP, set: SET, shiftToNow: true })
  expect(summary).toMatchObject({ sent: 300, refused: 0 })
  const newest = (await stored()).at(-1)?.startTimeUnixNano
  expect(Math.abs(Number(BigInt(String(newest)) / 1_000_000n) - Date.now())).toBeLessThan(60_000)
  const left = (await readdir(tmpdir())).filter(
    (name) => name.startsWith('observatory-send-') && !before.includes(name),
  )
  expect(left).toEqual([])
})

test('bad lines are refused with line and reason, and all others are sent', async () => {
  const good = (n: number) => JSON.stringify({ message: `m${n}`, level: 'info', n })
  const lines = [
    good(1),
    '{"message": "cut',
    good(2),
    '["message"]',
    '',
    JSON.stringify({ message: 'x', traceId: 'no id' }),
    JSON.stringify({ message: 'x', time: '2019-05-01T00:00:00Z' }),
    JSON.stringify({ message: 'y'.repeat(1_100_000) }),
    good(3),
    '{"message":"exact","n":12345678901234567890}',
  ]
  const path = await file('app.ndjson', lines.join('\n'))
  const summary = await sendTest({ telemetrySignal: 'logs', format: 'ndjson', path })
  expect(summary).toMatchObject({
    sent: 4,
    refused: 5,
    refusedByReason: { not_json: 1, wrong_type: 1, bad_id: 1, time_out_of_window: 1, too_large: 1 },
  })
  expect(summary.firstRefused.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
    '2 not_json',
    '4 wrong_type',
    '6 bad_id',
    '7 time_out_of_window',
    '8 too_large',
  ])
  expect((await stored('logs')).map(({ message }) => message)).toEqual(['m1', 'm2', 'm3', 'exact'])
  const [entry] = await withRedis((client) => client.xrevrange(`${streamPrefix}:logs`, '+', '-', 'COUNT', 1))
  expect(entry?.[1][1]).toContain('"n":12345678901234567890')
})

test('bad rows of a CSV are refused alone', async () => {
  const csv =
    'name,startTime,tokens\na,now,1\n"b,2\nc,2026-03-01T00:00:00Z,3\nd,2026-03-01T00:00:00Z\n,2026-03-01T00:00:00Z,5\n'
  const now = () => new Date('2026-03-01T00:00:00Z')
  const summary = await sendTest({ path: await file('bad.csv', csv), now })
  expect(summary.firstRefused.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
    '2 bad_time',
    '3 unknown_form',
    '5 unknown_form',
    '6 missing_field',
  ])
  expect(await stored()).toMatchObject([{ name: 'c', attributes: { tokens: 3 } }])
})

test('without validation, what can be read is sent as it is', async () => {
  const path = await file('odd.ndjson', '{"name":7}\n{broken\n{"startTime":"yesterday"}\n')
  const summary = await sendTest({ path, format: 'ndjson', accepted: undefined })
  expect(summary).toMatchObject({ sent: 2, refused: 1, refusedByReason: { not_json: 1 } })
})

test('the same file sent again under the same key adds nothing twice', async () => {
  const path = await file('twice.csv', callsCsv(250))
  const options = { path, map: MAP, set: SET, shiftToNow: true, idempotencyKey: 'import-7' }
  expect(await sendTest(options)).toMatchObject({ sent: 250, entries: 3, repeated: 0 })
  expect(await sendTest(options)).toMatchObject({ sent: 0, entries: 0, repeated: 250, refused: 0 })
  expect(await sendTest({ ...options, idempotencyKey: 'import-8' })).toMatchObject({ sent: 250, repeated: 0 })
  expect(await stored()).toHaveLength(500)
})

test('a file that has grown since it was sent under its key loses nothing', async () => {
  const options = { map: MAP, set: SET, shiftToNow: true, idempotencyKey: 'growing' }
  await sendTest({ ...options, path: await file('growing.csv', callsCsv(150)) })
  await sendTest({ ...options, path: await file('growing.csv', callsCsv(250)) })
  const numbers = (await stored()).map(({ attributes }) => attributes['gen_ai.usage.input_tokens'])
  expect(new Set(numbers).size).toBe(250)
  expect(numbers).toHaveLength(300)
})

test('an interrupted run that is run again under its key ends with each record once', async () => {
  const path = await file('again.csv', callsCsv(1000))
  const options = { path, map: MAP, set: SET, shiftToNow: true, idempotencyKey: 'import-9' }
  const interruption = new AbortController()
  const interrupted = sendTest({ ...options, rate: 300, signal: interruption.signal })
  await eventually(async () => expect((await stored()).length).toBeGreaterThan(200))
  interruption.abort()
  const first = await interrupted
  expect(first).toMatchObject({ interrupted: true, failed: 0 })
  expect(first.sent % 100).toBe(0)
  expect(first.sent).toBeLessThan(1000)
  const second = await sendTest(options)
  expect(second).toMatchObject({ sent: 1000 - first.sent, repeated: first.sent, interrupted: false })
  const numbers = (await stored()).map(({ attributes }) => Number(attributes['gen_ai.usage.input_tokens']))
  expect(numbers.sort((a, b) => a - b)).toEqual([...Array(1000).keys()])
})

test('a batch under a key that is too large for an entry is sent in parts, and its largest record refused', async () => {
  const record = (n: number, size: number) => JSON.stringify({ message: 'x'.repeat(size), n })
  const lines = Array.from({ length: 8 }, (_, n) => record(n, n === 5 ? 1_060_000 : 300_000))
  const path = await file('large.ndjson', lines.join('\n'))
  const options: Partial<SendOptions> = {
    telemetrySignal: 'logs',
    format: 'ndjson',
    path,
    idempotencyKey: 'large',
  }
  expect(await sendTest({ ...options, accepted: undefined })).toMatchObject({
    sent: 7,
    refused: 1,
    firstRefused: [{ line: 6, reason: 'too_large' }],
  })
  expect((await stored('logs')).map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 6, 7])
  expect(await sendTest({ ...options, accepted: undefined })).toMatchObject({
    sent: 0,
    repeated: 7,
    refused: 1,
  })
})

test('lines of a live input are in the stream while it is still open, and an interruption keeps them', async () => {
  const stdin = new PassThrough()
  const interruption = new AbortController()
  const sending = sendTest({ telemetrySignal: 'logs', format: 'ndjson', stdin, signal: interruption.signal })
  stdin.write('{"message":"one"}\n{"message":"two"}\n{"mess')
  await eventually(async () => expect(await stored('logs')).toHaveLength(2))
  stdin.write('age":"three"}\n')
  await eventually(async () => expect(await stored('logs')).toHaveLength(3))
  interruption.abort()
  expect(await sending).toMatchObject({ sent: 3, interrupted: true, error: undefined })
})

test('a Redis that is away is waited for, until the interruption', async () => {
  let told = ''
  const interruption = new AbortController()
  const sending = sendTest({
    redisUrl: 'redis://127.0.0.1:1',
    path: await file('away.csv', callsCsv(10)),
    map: MAP,
    set: SET,
    shiftToNow: true,
    signal: interruption.signal,
    closeTimeoutMs: 300,
    output: { write: (text) => (told += text) },
  })
  await eventually(() => expect(told).toContain('waiting for Redis'))
  await sleep(200)
  interruption.abort()
  const summary = await sending
  expect(summary).toMatchObject({ sent: 0, failed: 10, interrupted: true })
  expect(summary.error).toContain('did not acknowledge 10 records')
})

test('a stream that Redis refuses for good ends the run at once and says why', async () => {
  await withRedis((client) => client.set(`${streamPrefix}:traces`, 'not a stream'))
  const stdin = new PassThrough()
  stdin.write(callsCsv(300))
  const summary = await sendTest({ stdin, map: MAP, set: SET, accepted: undefined })
  expect(summary.sent).toBe(0)
  expect(summary.failed).toBeGreaterThan(0)
  expect(summary.error).toContain('WRONGTYPE')
  expect(summary.interrupted).toBe(false)
})

test('an input that is not there is wrong usage, and nothing is left open', async () => {
  await expect(sendTest({ path: join(folder, 'missing') })).rejects.toMatchObject({ code: 'ERR_USAGE' })
  await expect(sendTest({ path: folder })).rejects.toMatchObject({ code: 'ERR_USAGE' })
  await expect(sendTest({ path: await file('x.csv', 'a\n1\n'), map: ['b=name'] })).rejects.toMatchObject({
    code: 'ERR_USAGE',
  })
})

test('an empty file sends nothing and is fine', async () => {
  expect(await sendTest({ path: await file('empty.csv', '') })).toMatchObject({
    sent: 0,
    refused: 0,
    error: undefined,
  })
})

/** Runs the built command line. `during` gets the process and what it has said so far. */
async function runCli(
  args: readonly string[],
  during?: (child: ChildProcessWithoutNullStreams) => Promise<void>,
  changed: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: streamPrefix,
    ...changed,
  }
  const child = spawn(process.execPath, [LAUNCHER, 'send', ...args], { cwd: folder, env })
  const exited = once(child, 'close') as Promise<[number | null]>
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (err += data))
  await during?.(child)
  const [code] = await exited
  return { code, out, err }
}

test('the command says on one line what it sent, and its exit code whether that was all', async () => {
  const path = await file('cli.ndjson', '{"message":"a"}\n{"message":"b"}\n')
  expect(await runCli(['logs', '--ndjson', path])).toEqual({
    code: 0,
    out: '',
    err: 'sent 2 log records in 1 entry, refused 0\n',
  })
  const bad = await file('cli-bad.ndjson', '{"message":"a"}\nbroken\n')
  const refused = await runCli(['logs', bad, '--json'])
  expect(refused).toMatchObject({ code: 1, err: '' })
  expect(JSON.parse(refused.out)).toMatchObject({ sent: 1, refused: 1, firstRefused: [{ line: 2 }] })
  expect((await runCli(['logs', join(folder, 'missing')])).code).toBe(2)
  expect((await runCli(['nonsense', path])).code).toBe(2)
})

test('what is wrong with the command is told before an embedded Redis is started', async () => {
  const path = await file('early.ndjson', '{"message":"a"}\n')
  const dataDir = join(folder, 'never-made')
  const fail = async (...args: string[]) => {
    const { code, err } = await runCli([...args, '--data-dir', dataDir], undefined, { REDIS_URL: '' })
    expect(code).toBe(2)
    return err
  }
  expect(await fail('logs', 'missing.ndjson')).toBe(
    'error: cannot read missing.ndjson: there is no such file\n',
  )
  expect(await fail('logs', folder)).toBe(`error: cannot read ${folder}: it is a folder\n`)
  expect(await fail('logs', path, '--map', 'x')).toBe('error: --map: "x" has no "="; expected column=path\n')
  expect(existsSync(dataDir)).toBe(false)
})

test('a file that is no text is wrong usage, and nothing of it is sent', async () => {
  const path = await file('calls.csv', gzipSync(callsCsv(10)))
  await expect(sendTest({ path, map: MAP, set: SET })).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('the input is compressed by gzip'),
  })
  expect(await stored()).toEqual([])
})

test('Ctrl-C ends the command after what it has read is sent', async () => {
  const { code, err } = await runCli(['logs', '-'], async (child) => {
    child.stdin.write('{"message":"one"}\n{"message":"two"}\n')
    await eventually(async () => expect(await stored('logs')).toHaveLength(2))
    child.kill('SIGINT')
  })
  expect({ code, err }).toEqual({ code: 1, err: 'sent 2 log records in 1 entry, refused 0, interrupted\n' })
})

test('a second Ctrl-C ends the command at once, and the embedded Redis that it started soon after', async () => {
  const dataDir = join(folder, '.observatory')
  let redis: RunningServer | undefined
  try {
    const { code } = await runCli(
      ['logs', '-'],
      async (child) => {
        child.stdin.write('{"message":"one"}\n')
        redis = await eventually(async () => {
          const file = await readServersFile(join(dataDir, 'servers.json'))
          expect(file.redis).toBeDefined()
          return file.redis
        })
        // So that the first Ctrl-C has something to wait for.
        process.kill(redis!.pid, 'SIGSTOP')
        // Those that come right after one another count as one.
        const again = setInterval(() => child.kill('SIGINT'), 150)
        child.once('exit', () => clearInterval(again))
      },
      { REDIS_URL: '' },
    )
    expect(code).toBe(130)
    process.kill(redis!.pid, 'SIGCONT')
    await eventually(() => expect(isRunning(redis!)).toBe(false), { timeoutMs: 20_000 })
  } finally {
    if (redis !== undefined && isRunning(redis)) process.kill(redis.pid, 'SIGCONT')
    await (await joinServers({ dataDir, postgres: false, redis: false })).leave()
  }
})
