import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readOtlpRequest } from '../../../../src/models/otlp/read-request.ts'
import { splitRequest } from '../../../../src/models/otlp/split-request.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../../../src/models/telemetry-signal.ts'
import { encodeOtlp } from '../../../helpers/otlp-protobuf.ts'
import { NOW, SPAN_ID, TRACE_ID } from '../decoding.ts'
import { rewritten } from '../rewritten-json.ts'
import { OTLP_REQUESTS } from './otlp-requests.ts'

const NO_LIMIT = Number.MAX_SAFE_INTEGER

function split(
  body: Buffer,
  signal: TelemetrySignal,
  limits: { splitBytes?: number; maxBytes?: number; maxRecords?: number; maxHeaderBytes?: number },
  encoding: 'json' | 'protobuf' = body[0] === 0x7b ? 'json' : 'protobuf',
) {
  return splitRequest(body, signal, {
    splitBytes: NO_LIMIT,
    maxBytes: NO_LIMIT,
    maxRecords: NO_LIMIT,
    maxHeaderBytes: NO_LIMIT,
    ...limits,
    encoding,
  })
}

const recordsOf = (parts: readonly Buffer[], signal: TelemetrySignal, encoding: 'json' | 'protobuf') =>
  parts.flatMap(
    (part) => readOtlpRequest(part, signal, encoding).records ?? [expect.fail('the part is a request')],
  )

/** In other white space and escapes, where they leave it what it is. */
function writtenAs(request: object, how: number): Buffer {
  const text = rewritten(JSON.stringify(request, null, how % 3), how)
  try {
    JSON.parse(text)
    return Buffer.from(text)
  } catch {
    return Buffer.from(JSON.stringify(request))
  }
}

const SPAN = { traceId: TRACE_ID, spanId: SPAN_ID, startTimeUnixNano: String(NOW), name: 'chat' }
const traces = (...spans: object[]) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] })

describe.each(TELEMETRY_SIGNALS)('parts of %s', (signal) => {
  test.each(['protobuf', 'json'] as const)(
    'together hold the records of the whole, in %s, each small',
    (encoding) => {
      const sizes = fc.record({
        splitBytes: fc.integer({ min: 1, max: 600 }),
        maxRecords: fc.integer({ min: 1, max: 4 }),
      })
      fc.assert(
        fc.property(OTLP_REQUESTS[signal], sizes, fc.nat(), (request, limits, how) => {
          const body = encoding === 'json' ? writtenAs(request, how) : encodeOtlp(signal, request)
          const { parts = [] } = split(body, signal, limits, encoding)
          expect(recordsOf(parts, signal, encoding)).toEqual(recordsOf([body], signal, encoding))
          for (const part of parts)
            expect(recordsOf([part], signal, encoding).length).toBeLessThanOrEqual(limits.maxRecords)
        }),
        { numRuns: 200 },
      )
    },
  )
})

test('a request that is small is its own only part, byte by byte', () => {
  for (const body of [
    Buffer.from(JSON.stringify(traces(SPAN, SPAN))),
    encodeOtlp('traces', traces(SPAN, SPAN)),
  ])
    expect(split(body, 'traces', {})).toEqual({ parts: [body] })
})

test('parts are as large as they may be, not larger', () => {
  const spans = Array.from({ length: 1000 }, () => ({ ...SPAN, name: 'x'.repeat(100) }))
  for (const body of [
    Buffer.from(JSON.stringify(traces(...spans))),
    encodeOtlp('traces', traces(...spans)),
  ]) {
    const { parts = [] } = split(body, 'traces', { splitBytes: 10_000 })
    for (const part of parts.slice(0, -1)) expect(part.length).toBeGreaterThan(9000)
    for (const part of parts) expect(part.length).toBeLessThan(11_000)
  }
})

test('a record that is too large alone refuses the request, and says how large it is', () => {
  const body = encodeOtlp('traces', traces(SPAN, { ...SPAN, name: 'x'.repeat(1000) }))
  expect(split(body, 'traces', { splitBytes: 100, maxBytes: 500 })).toMatchObject({
    rejection: { reason: 'too_large', detail: expect.stringMatching(/at most 500 bytes, not 1\d{3}/) },
  })
})

test.each([
  ['no JSON', '{"resourceSpans":[{]}', 'not_json'],
  ['two values', '{}{}', 'not_json'],
  ['no UTF-8', Buffer.from('{"resourceSpans":[],"a":"\xff"}', 'latin1'), 'not_json'],
  ['members without end', `{${Array.from({ length: 2000 }, (_, n) => `"${n}":0`).join()}}`, 'too_large'],
  ['protobuf that is cut', encodeOtlp('traces', traces(SPAN)).subarray(0, -1), 'not_protobuf'],
  [
    'fields without end',
    Buffer.from(Array.from({ length: 4000 }, (_, n) => (n % 2 === 0 ? 0x78 : 0))),
    'too_large',
  ],
] as const)('refused: %s', (_, body, reason) => {
  expect(split(Buffer.from(body), 'traces', {})).toMatchObject({ rejection: { reason } })
})

test('escapes that PostgreSQL does not take are passed on', () => {
  const body = Buffer.from(
    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\u0000 \\ud83d\\ude00 \\ud83d"}]}]}]}`,
  )
  expect(split(body, 'traces', {})).toEqual({ parts: [body] })
})

test('a metric without a type that is known stays where it is', () => {
  const metrics = [
    { name: 'later', sketch: {} },
    { name: 'm', gauge: { dataPoints: [{ asInt: '1' }, { asInt: '2' }] } },
  ]
  const body = Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))
  const { parts = [] } = split(body, 'metrics', { maxRecords: 1 })
  expect(recordsOf(parts, 'metrics', 'json')).toHaveLength(3)
})

describe('a metric with several kinds of data', () => {
  const point = { timeUnixNano: String(NOW), asInt: '1' }
  const data = { name: 'm', sum: { dataPoints: [point] }, gauge: { dataPoints: [point, point, point] } }
  const request = { resourceMetrics: [{ scopeMetrics: [{ metrics: [data] }] }] }

  test.each(['json', 'protobuf'] as const)(
    'is one record, which is refused, split or not (%s)',
    (encoding) => {
      const body = encoding === 'json' ? Buffer.from(JSON.stringify(request)) : bothKinds(request)
      for (const maxRecords of [1, 100]) {
        const { parts = [] } = split(body, 'metrics', { maxRecords }, encoding)
        expect(recordsOf(parts, 'metrics', encoding)).toMatchObject([{ name: 'm' }])
        expect(recordsOf(parts, 'metrics', encoding)[0]).not.toHaveProperty('type')
      }
    },
  )

  /** protobufjs writes one member of a oneof: the metric is put together of two. */
  function bothKinds(whole: typeof request): Buffer {
    const [group] = whole.resourceMetrics
    const [scope] = group?.scopeMetrics ?? []
    const [{ sum, gauge, name } = data] = scope?.metrics ?? []
    const metricOf = (kind: object) => ({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, ...kind }] }] }],
    })
    const bytesOf = (kind: object) => metricBytes(encodeOtlp('metrics', metricOf(kind)))
    return wrapped(Buffer.concat([bytesOf({ sum }), bytesOf({ gauge })]))
  }
  /** Out of three messages around it, each with a tag and a length of one byte. */
  const metricBytes = (body: Buffer) => body.subarray(6)
  const wrapped = (metric: Buffer) =>
    [0x12, 0x12, 0x0a].reduce(
      (inner, tag) => Buffer.concat([Buffer.from([tag, inner.length]), inner]),
      metric,
    )
})

test('of a repeated key of JSON the last one counts, be it null', () => {
  const body = Buffer.from('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{},{}],"logRecords":null}]}]}')
  const { parts = [] } = split(body, 'logs', { maxRecords: 1 })
  expect(recordsOf(parts, 'logs', 'json')).toEqual([])
})

test('what stands around records is not repeated without end', () => {
  const around = { resource: { attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(2000) } }] } }
  const request = {
    resourceSpans: [{ ...around, scopeSpans: [{ spans: Array.from({ length: 50 }, () => SPAN) }] }],
  }
  for (const body of [Buffer.from(JSON.stringify(request)), encodeOtlp('traces', request)]) {
    expect(split(body, 'traces', { splitBytes: 4000, maxHeaderBytes: 500 })).toMatchObject({
      rejection: { reason: 'too_large', detail: expect.stringContaining('at most 500 bytes') },
    })
    expect(split(body, 'traces', {})).toEqual({ parts: [body] })
  }
})

test('a request of millions of records is refused, soon', () => {
  const records = Buffer.alloc(2 * 3_000_000)
  for (let at = 0; at < records.length; at += 2) records[at] = 0x12
  const around = (tag: number, inner: Buffer) => {
    const length = []
    for (let rest = inner.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
      if (rest <= 0x7f) return Buffer.concat([Buffer.from([tag, ...length]), inner])
    }
  }
  const json = Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${'{},'.repeat(1_500_000)}{}]}]}]}`)
  for (const body of [around(0x0a, around(0x12, records)), json])
    expect(split(body, 'logs', {})).toMatchObject({ rejection: { reason: 'too_large' } })
})
