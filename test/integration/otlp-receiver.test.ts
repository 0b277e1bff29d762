import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { eventually } from '../helpers/eventually.ts'
import { encodeOtlp } from '../helpers/otlp-protobuf.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const MIB = 1024 * 1024

let app: TestService

beforeAll(async () => {
  app = await startTestService({ OTLP_MAX_BODY_BYTES: '12MiB', OTLP_IN_FLIGHT_MAX_BYTES: '16MiB' })
})
afterAll(() => app?.close())

const PROTOBUF = 'application/x-protobuf'
const JSON_TYPE = 'application/json'

interface Posted {
  readonly status: number
  readonly type: string | null
  readonly retryAfter: string | null
  readonly body: Buffer
}

async function post(
  signal: string,
  body: Buffer | string,
  headers: Record<string, string> = {},
  service = app,
): Promise<Posted> {
  const type = typeof body === 'string' ? JSON_TYPE : PROTOBUF
  const response = await fetch(new URL(`/v1/${signal}`, service.service.url), {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body,
  })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: Buffer.from(await response.arrayBuffer()),
  }
}

/** `google.rpc.Status`, and the responses of export requests, which have the shape `1: message { 1: int64, 2: string }`. */
const answers = protobuf.parse(`syntax = "proto3";
  message Status { int32 code = 1; string message = 2; }
  message PartialSuccess { int64 rejected = 1; string errorMessage = 2; }
  message Response { PartialSuccess partialSuccess = 1; }`).root
function statusOf({ type, body }: Posted): { code: number; message: string } {
  return type === PROTOBUF
    ? (answers.lookupType('Status').decode(body).toJSON() as { code: number; message: string })
    : JSON.parse(body.toString())
}

const id = (bytes: number) => randomBytes(bytes).toString('hex')
const span = (more: object = {}) => ({
  traceId: id(16),
  spanId: id(8),
  name: 'chat',
  startTimeUnixNano: `${Date.now()}000000`,
  ...more,
})
const tracesOf = (spans: readonly object[], service = 'otlp') => ({
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [{ scope: { name: 'sdk' }, spans }],
    },
  ],
})
const logsOf = (logRecords: readonly object[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
const metricsOf = (metrics: readonly object[]) => ({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
const bodyOf = (signal: TelemetrySignal, request: object, encoding: 'protobuf' | 'json') =>
  encoding === 'json' ? JSON.stringify(request) : encodeOtlp(signal, request)

const storedSpans = (service: string) =>
  app.query<{ name: string; attributes: object }>(
    'select name, attributes from span_view where service = $1 order by start_time_unix_nano',
    [service],
  )
const entriesOf = (signal: TelemetrySignal) => app.redis.xlen(`${app.prefix}:${signal}`)

describe.each(['protobuf', 'json'] as const)('a request in %s', (encoding) => {
  const type = encoding === 'json' ? JSON_TYPE : PROTOBUF

  test.each(['none', 'gzip', 'deflate'])(
    'is answered 200, and its records are stored (compressed: %s)',
    async (how) => {
      const service = `stored-${encoding}-${how}`
      const attributes = [{ key: 'tokens', value: { intValue: '9007199254740993' } }]
      const body = bodyOf(
        'traces',
        tracesOf([span({ name: 'one' }), span({ name: 'two', attributes })], service),
        encoding,
      )
      const { deflateSync } = await import('node:zlib')
      const compressed = how === 'gzip' ? gzipSync(body) : how === 'deflate' ? deflateSync(body) : body
      const headers = { 'content-type': type, ...(how !== 'none' && { 'content-encoding': how }) }
      const { body: answer, ...rest } = await post('traces', compressed, headers)
      expect(rest).toEqual({ status: 200, type, retryAfter: null })
      expect(answer.toString()).toBe(encoding === 'json' ? '{}' : '')
      await eventually(async () =>
        expect((await storedSpans(service)).map(({ name }) => name)).toEqual(['one', 'two']),
      )
      const [row] = await app.query(
        `select attributes->>'tokens' as tokens from span_view where service = $1 and name = 'two'`,
        [service],
      )
      expect(row?.tokens).toBe('9007199254740993')
    },
  )

  test('of logs or metrics is stored as well', async () => {
    const name = `otlp.${encoding}.points`
    const point = { timeUnixNano: `${Date.now()}000000`, asInt: '7' }
    const metric = { name, sum: { isMonotonic: true, aggregationTemporality: 1, dataPoints: [point] } }
    expect(await post('metrics', bodyOf('metrics', metricsOf([metric]), encoding))).toMatchObject({
      status: 200,
    })
    const log = { timeUnixNano: `${Date.now()}000000`, eventName: name, body: { stringValue: 'said' } }
    expect(await post('logs', bodyOf('logs', logsOf([log]), encoding))).toMatchObject({ status: 200 })
    await eventually(async () => {
      expect(await app.query('select value from point_view where name = $1', [name])).toEqual([{ value: 7 }])
      expect(await app.query('select body from log_view where event_name = $1', [name])).toEqual([
        { body: 'said' },
      ])
    })
  })

  test('that holds nothing is answered 200, and adds no entry', async () => {
    const before = await entriesOf('logs')
    expect(await post('logs', bodyOf('logs', {}, encoding))).toMatchObject({ status: 200, type })
    expect(await post('logs', bodyOf('logs', logsOf([]), encoding))).toMatchObject({ status: 200, type })
    expect(await entriesOf('logs')).toBe(before)
  })

  test('that is sent again is answered the same and stored once', async () => {
    const service = `again-${encoding}`
    const body = bodyOf('traces', tracesOf([span()], service), encoding)
    const before = await entriesOf('traces')
    const posted = await Promise.all(Array.from({ length: 5 }, () => post('traces', body)))
    expect(posted.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(await entriesOf('traces')).toBe(before + 1)
    await eventually(async () => expect(await storedSpans(service)).toHaveLength(1))
  })

  test('some of whose records are refused is a partial success, and they become dead letters', async () => {
    const service = `partial-${encoding}`
    const spans = [span(), span({ spanId: 'abcd' }), span({ name: 'good' }), span({ startTimeUnixNano: '1' })]
    const posted = await post('traces', bodyOf('traces', tracesOf(spans, service), encoding))
    expect(posted).toMatchObject({ status: 200, type })
    const { partialSuccess } =
      encoding === 'json'
        ? JSON.parse(posted.body.toString())
        : (answers.lookupType('Response').decode(posted.body).toJSON() as Record<string, never>)
    expect(partialSuccess).toEqual({
      [encoding === 'json' ? 'rejectedSpans' : 'rejected']: '2',
      errorMessage: expect.stringMatching(
        /^2 of 4 records are refused and kept as dead letters; the first: spanId .*\(bad_id\)$/,
      ),
    })
    await eventually(async () => expect(await storedSpans(service)).toHaveLength(2))
    const letters = await app.query(
      `select reason, record_index from dead_letters
        where convert_from(payload, 'utf8') like '%' || $1 || '%' order by record_index`,
      [service],
    )
    expect(letters).toEqual([
      { reason: 'bad_id', record_index: 1 },
      { reason: 'time_out_of_window', record_index: 3 },
    ])
  })

  test('of another signal is 400, says so, and adds nothing', async () => {
    const before = await entriesOf('traces')
    const log = {
      timeUnixNano: `${Date.now()}000000`,
      severityText: 'INFO',
      body: { stringValue: 'a log record' },
    }
    const posted = await post('traces', bodyOf('logs', logsOf([log]), encoding))
    if (encoding === 'json') {
      // Its field names are not those of traces: to JSON it is a request that holds nothing.
      expect(posted).toMatchObject({ status: 200 })
    } else {
      expect(posted).toMatchObject({ status: 400, type })
      expect(statusOf(posted)).toEqual({
        code: 3,
        message: expect.stringContaining('none of the 1 records is one of traces'),
      })
    }
    expect(await entriesOf('traces')).toBe(before)
  })

  test.each([
    ['cut off', (body: Buffer) => body.subarray(0, -1)],
    ['of other bytes', () => Buffer.from('\xffhello', 'latin1')],
  ])('that is %s is 400, in its own encoding', async (_, spoil) => {
    const body = spoil(Buffer.from(bodyOf('traces', tracesOf([span()]), encoding)))
    const posted = await post('traces', body, { 'content-type': `${type}; charset=utf-8` })
    expect(posted).toMatchObject({ status: 400, type, retryAfter: null })
    expect(statusOf(posted)).toEqual({
      code: 3,
      message: expect.stringMatching(/\((not_json|not_protobuf)\)$/),
    })
  })

  test('of many megabytes becomes several entries, each record of it stored once', async () => {
    const service = `large-${encoding}`
    const attributes = [{ key: 'text', value: { stringValue: 'x'.repeat(1000) } }]
    const spans = Array.from({ length: 6000 }, () => span({ attributes }))
    const body = bodyOf('traces', tracesOf(spans, service), encoding)
    expect(body.length).toBeGreaterThan(5 * MIB)
    const before = await entriesOf('traces')
    const posted = await Promise.all([post('traces', body), post('traces', body, {})])
    expect(posted.map(({ status }) => [200, 503].includes(status))).toEqual([true, true])
    expect(await post('traces', body)).toMatchObject({ status: 200 })
    expect((await entriesOf('traces')) - before).toBe(2)
    await eventually(async () => expect(await storedSpans(service)).toHaveLength(6000))
  })
})

test('records that are all alike are stored each, also where the body becomes several entries', async () => {
  const before = await entriesOf('logs')
  const record = { timeUnixNano: `${Date.now()}000000`, eventName: 'alike' }
  const body = bodyOf('logs', logsOf(Array.from({ length: 40_000 }, () => record)), 'protobuf')
  expect(await post('logs', body)).toMatchObject({ status: 200 })
  expect(await post('logs', body)).toMatchObject({ status: 200 })
  expect((await entriesOf('logs')) - before).toBe(2)
  const count = `select count(*)::int as n from log_records where event_name = 'alike'`
  await eventually(async () => expect(await app.query(count)).toEqual([{ n: 40_000 }]))
})

test.each(['GZIP', ' x-gzip'])('a compression is known in whatever way it is written: %j', async (coding) => {
  const body = gzipSync(encodeOtlp('logs', logsOf([{ body: { stringValue: coding } }])))
  expect(await post('logs', body, { 'content-encoding': coding })).toMatchObject({ status: 200 })
})

test.each([
  ['white space', ' \r\n\t', 200],
  ['a byte order mark', '\ufeff', 200],
  ['anything else', 'hello ', 400],
])('JSON may have before it: %s', async (_, before, status) => {
  expect(await post('logs', `${before}{"resourceLogs":[]}`)).toMatchObject({ status })
})

describe('what is not taken', () => {
  test.each([
    ['no content type', { 'content-type': '' }],
    ['another content type', { 'content-type': 'text/plain' }],
    ['another compression', { 'content-encoding': 'zstd' }],
  ])('is 415: %s', async (_, headers) => {
    const posted = await post('traces', encodeOtlp('traces', tracesOf([span()])), headers)
    expect(posted).toMatchObject({ status: 415, retryAfter: null })
    expect(statusOf(posted).message).toMatch(/use (application\/x-protobuf|gzip)|Media Type/)
  })

  test('is 405 with another method, and says which one', async () => {
    const response = await fetch(new URL('/v1/traces', app.service.url))
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  })

  test.each([
    ['by its length', Buffer.alloc(13 * MIB), {}],
    ['once it is decompressed', gzipSync(Buffer.alloc(500 * MIB)), { 'content-encoding': 'gzip' }],
  ])('is 413 where it is too large %s', async (_, body, headers) => {
    const posted = await post('logs', body, headers)
    expect(posted).toMatchObject({ status: 413, type: PROTOBUF })
    expect(statusOf(posted)).toEqual({ code: 8, message: expect.stringContaining('OTLP_MAX_BODY_BYTES') })
    expect(await post('logs', Buffer.alloc(0))).toMatchObject({ status: 200 })
  })

  test('is 413 where it is too large and does not say so before', async () => {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest(new URL('/v1/logs', app.service.url), {
        method: 'POST',
        headers: { 'content-type': PROTOBUF, 'transfer-encoding': 'chunked' },
      })
      sent.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
      for (let chunk = 0; chunk < 14; chunk += 1) sent.write(Buffer.alloc(MIB))
      sent.end()
    })
    expect(answer).toBe(413)
  })

  test.each([
    ['no gzip', Buffer.from('no gzip')],
    ['gzip that is cut', gzipSync(Buffer.alloc(1000)).subarray(0, -4)],
  ])('is 400 where its compression is broken: %s', async (_, body) => {
    expect(await post('logs', body, { 'content-encoding': 'gzip' })).toMatchObject({ status: 400 })
  })

  test('leaves nothing behind when the client goes away in the middle', async () => {
    const sent = httpRequest(new URL('/v1/logs', app.service.url), {
      method: 'POST',
      headers: { 'content-type': PROTOBUF, 'content-length': String(8 * MIB) },
    })
    sent.on('error', () => undefined)
    sent.write(Buffer.alloc(2 * MIB))
    await eventually(async () => expect(await heldBytes()).toBeGreaterThanOrEqual(2 * MIB))
    sent.destroy()
    await eventually(async () => expect(await heldBytes()).toBe(0))
  })
})

async function heldBytes(): Promise<number> {
  const text = await (await app.get('/metrics')).text()
  return Number(/^observatory_otlp_bodies_bytes (\d+)$/m.exec(text)?.[1])
}

test('every answer is counted, by signal and status', async () => {
  const text = await (await app.get('/metrics')).text()
  expect(text).toMatch(/^observatory_otlp_requests_total\{signal="traces",status="200"\} \d+$/m)
  expect(text).toMatch(/^observatory_otlp_requests_total\{signal="logs",status="413"\} \d+$/m)
  expect(text).toMatch(/^observatory_otlp_rejected_records_total\{signal="traces"\} 4$/m)
})
