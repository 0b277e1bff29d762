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
  limits: { splitBytes?: number; maxBytes?: number; maxRecords?: number },
  encoding: 'json' | 'protobuf' = body[0] === 0x7b ? 'json' : 'protobuf',
) {
  return splitRequest(body, signal, {
    splitBytes: NO_LIMIT,
    maxBytes: NO_LIMIT,
    maxRecords: NO_LIMIT,
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
