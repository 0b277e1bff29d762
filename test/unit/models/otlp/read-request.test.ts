import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RECORD_DECODERS } from '../../../../src/models/decode-record.ts'
import { encodingOf, readOtlpRequest } from '../../../../src/models/otlp/read-request.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../../../src/models/telemetry-signal.ts'
import { encodeOtlp } from '../../../helpers/otlp-protobuf.ts'
import { contextWith, NOW, SPAN_ID, TRACE_ID } from '../decoding.ts'
import { OTLP_REQUESTS } from './otlp-requests.ts'

/** What comes of each record of a request. */
function decoded(signal: TelemetrySignal, bytes: Buffer): unknown {
  const request = readOtlpRequest(bytes, signal)
  if (request.rejection !== undefined) return request.rejection
  const context = contextWith({ suspicious: request.suspicious })
  return request.records.map((record) => RECORD_DECODERS[signal](record, context))
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const SPAN = { traceId: TRACE_ID, spanId: SPAN_ID, startTimeUnixNano: String(NOW) }
const traces = (...spans: object[]) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] })
const logs = (...logRecords: object[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })

/** A field of length-delimited bytes. */
function field(number: number, content: Buffer): Buffer {
  const length = []
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) break
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content])
}
/** Of a log record's body. */
const inLogRecord = (body: Buffer) => field(1, field(2, field(2, field(5, body))))

describe('a request', () => {
  test.each(TELEMETRY_SIGNALS)('of %s says the same in protobuf as in JSON', (signal) => {
    fc.assert(
      fc.property(OTLP_REQUESTS[signal], (request) => {
        expect(decoded(signal, encodeOtlp(signal, request))).toEqual(decoded(signal, json(request)))
      }),
      { numRuns: 300 },
    )
  })

  test('gives each record the resource and the scope it stands in, with their schema URLs', () => {
    const request = {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] },
          schemaUrl: 'resource-schema',
          scopeSpans: [
            { scope: { name: 'one', version: '1' }, schemaUrl: 'scope-schema', spans: [SPAN, SPAN] },
            { spans: [SPAN] },
          ],
        },
        { scopeSpans: [{ spans: [SPAN] }] },
      ],
    }
    const sources = (
      decoded('traces', encodeOtlp('traces', request)) as { record: Record<string, unknown> }[]
    ).map(({ record: { service, resource, scope } }) => ({ service, resource, scope }))
    const resource = { attributes: { 'service.name': 'a' }, schemaUrl: 'resource-schema' }
    const named = { name: 'one', version: '1', attributes: {}, schemaUrl: 'scope-schema' }
    const none = { name: undefined, version: undefined, attributes: {}, schemaUrl: undefined }
    expect(sources).toEqual([
      { service: 'a', resource, scope: named },
      { service: 'a', resource, scope: named },
      { service: 'a', resource, scope: none },
      { service: 'unknown_service', resource: { attributes: {}, schemaUrl: undefined }, scope: none },
    ])
  })

  test.each(['protobuf', 'json'] as const)('that is empty holds nothing, in %s', (encoding) => {
    const bytes = encoding === 'json' ? json({}) : Buffer.alloc(0)
    expect(readOtlpRequest(bytes, 'logs')).toMatchObject({ records: [] })
  })

  test('keeps 64-bit integers exact, and names what is left out of JSON', () => {
    const attributes = [
      { key: 'long', value: { intValue: '9007199254740993' } },
      { key: 'least', value: { intValue: '-9223372036854775808' } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
      { key: 'nothing' },
      { value: { stringValue: 'of no key' } },
    ]
    const [{ record }] = decoded(
      'traces',
      encodeOtlp('traces', traces({ ...SPAN, attributes, events: [{}] })),
    ) as [{ record: Record<string, unknown> }]
    expect(record.attributes).toEqual({
      long: 9007199254740993n,
      least: -9223372036854775808n,
      nan: 'NaN',
      nothing: null,
      '': 'of no key',
    })
    expect(record).toMatchObject({ name: '', events: [{ name: '', timeUnixNano: NOW }] })
  })

  test('a point of a histogram without a count has counted nothing', () => {
    const point = { timeUnixNano: String(NOW) }
    const request = {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', histogram: { dataPoints: [point] } }] }] }],
    }
    for (const bytes of [json(request), encodeOtlp('metrics', request)])
      expect(decoded('metrics', bytes)).toMatchObject([{ record: { measurement: { count: 0n } } }])
  })

  test('ignores fields that OTLP does not know', () => {
    const known = traces({ ...SPAN, name: 'chat' })
    const more = traces({ ...SPAN, name: 'chat', service: 'no', start_time: 1, later: { version: 2 } })
    expect(decoded('traces', json(more))).toEqual(decoded('traces', json(known)))
    const [group] = known.resourceSpans
    const bytes = encodeOtlp('traces', { resourceSpans: [group] })
    const extended = Buffer.concat([
      bytes,
      field(1000, Buffer.from('later')),
      Buffer.from([0x78, 0x05, 0x75, 1, 2, 3, 4]),
    ])
    expect(decoded('traces', extended)).toEqual(decoded('traces', json(known)))
  })

  test('of a later metric type refuses the metric, not the others', () => {
    const good = { name: 'good', gauge: { dataPoints: [{ timeUnixNano: String(NOW), asInt: '1' }] } }
    const request = {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'later', sketch: {} }, good] }] }],
    }
    expect(decoded('metrics', json(request))).toMatchObject([
      { rejection: { reason: 'missing_field' } },
      { record: { metric: { name: 'good' } } },
    ])
  })
})

describe('what is no request', () => {
  test.each([
    ['a list', '[]'],
    ['a list in place of a group', '{"resourceLogs":[[]]}'],
    ['text in place of groups', '{"resourceLogs":"none"}'],
    ['a number in place of records', '{"resourceLogs":[{"scopeLogs":[{"logRecords":1}]}]}'],
  ])('is refused: %s', (_, text) => {
    expect(readOtlpRequest(Buffer.from(text), 'logs', 'json')).toMatchObject({
      rejection: { reason: 'wrong_type' },
    })
  })

  test('is refused: no JSON, no protobuf', () => {
    expect(readOtlpRequest(Buffer.from('{"resourceLogs":'), 'logs')).toMatchObject({
      rejection: { reason: 'not_json' },
    })
    expect(readOtlpRequest(Buffer.from('bytes'), 'logs')).toMatchObject({
      rejection: { reason: 'not_protobuf' },
    })
  })

  test('is refused, or read, and never anything else: protobuf with any bytes changed, or cut anywhere', () => {
    const change = fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { maxLength: 3 })
    fc.assert(
      fc.property(OTLP_REQUESTS.traces, change, fc.option(fc.nat(10_000)), (request, changes, cut) => {
        const bytes = encodeOtlp('traces', request)
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
        const part = cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1))
        const read = readOtlpRequest(part, 'traces', 'protobuf')
        if (read.rejection === undefined) decoded('traces', part)
        else expect(['not_protobuf', 'too_deep', 'too_large']).toContain(read.rejection.reason)
      }),
      { numRuns: 500 },
    )
  })

  test('is refused, not followed: lists inside one another without end', () => {
    let body = Buffer.alloc(0)
    for (let level = 0; level < 20_000; level += 1) body = field(5, field(1, body)) as Buffer<ArrayBuffer>
    expect(readOtlpRequest(inLogRecord(body), 'logs')).toMatchObject({ rejection: { reason: 'too_deep' } })
  })

  test('is refused, not kept: more values than memory should hold', () => {
    const emptyLists = Buffer.concat(Array.from({ length: 2_100_000 }, () => Buffer.from([0x0a, 0])))
    const read = readOtlpRequest(inLogRecord(field(5, emptyLists)), 'logs')
    expect(read).toMatchObject({ rejection: { reason: 'too_large' } })
  })
})

describe('a message that is there twice', () => {
  const both = (one: Buffer, two: Buffer) => Buffer.concat([one, two])
  const scopeLogs = field(2, field(2, field(5, field(1, Buffer.from('said')))))

  test('is merged, as protobuf wants it', () => {
    const attribute = (key: string) =>
      field(1, field(1, both(field(1, Buffer.from(key)), field(2, field(1, Buffer.from('v'))))))
    const twice = field(1, Buffer.concat([attribute('a'), attribute('b'), scopeLogs]))
    expect(decoded('logs', twice)).toMatchObject([
      { record: { resource: { attributes: { a: 'v', b: 'v' } } } },
    ])
  })
})

test('a list of numbers is read as far as a point may have them', () => {
  const counts = field(2, Buffer.alloc(5_000_000))
  const point = field(1, Buffer.concat([Buffer.from([0x19, 0, 0, 0, 0, 0, 0, 0, 0]), field(8, counts)]))
  const metric = field(2, Buffer.concat([field(1, Buffer.from('m')), field(10, point)]))
  const { records = [] } = readOtlpRequest(field(1, field(2, metric)), 'metrics')
  expect((records[0] as { positive: { bucketCounts: unknown[] } }).positive.bucketCounts).toHaveLength(4097)
})

describe('an AnyValue of JSON', () => {
  const bodyOf = (value: object) =>
    decoded('logs', json(logs({ body: value, attributes: [{ key: 'k', value }] })))
  test.each([
    ['with a member of a later version', { stringValue: 'x', future: 1 }, 'x'],
    ['with a member that is null', { stringValue: null, intValue: '7' }, 7],
  ])('%s is what it says', (_, value, expected) => {
    expect(bodyOf(value)).toMatchObject([{ record: { body: expected, attributes: { k: expected } } }])
  })

  test('whose only member is null says nothing', () => {
    expect(bodyOf({ stringValue: null })).toMatchObject([
      { record: { body: undefined, attributes: { k: null } } },
    ])
  })
})

describe('text of protobuf', () => {
  test('that is no UTF-8 is mended and counted', () => {
    const read = readOtlpRequest(inLogRecord(field(1, Buffer.from('a\xffb', 'latin1'))), 'logs')
    expect(read).toMatchObject({ cleaned: 1, records: [{ body: { stringValue: 'a\ufffdb' } }] })
    const replaced = readOtlpRequest(inLogRecord(field(1, Buffer.from('a\ufffdb'))), 'logs')
    expect(replaced).toMatchObject({ cleaned: 0 })
  })

  test('that has NUL is cleaned', () => {
    expect(decoded('logs', inLogRecord(field(1, Buffer.from('a\0b'))))).toMatchObject([
      { record: { body: 'a\ufffdb' } },
    ])
  })
})

test.each([
  ['{"resourceLogs":[]}', 'json'],
  [' \r\n\t{"resourceLogs":[]}', 'json'],
  ['\n{"resourceLogs":[]}', 'json'],
  ['', 'protobuf'],
  ['\n\0', 'protobuf'],
])('%j is %s', (text, encoding) => {
  expect(encodingOf(Buffer.from(text), 'logs')).toBe(encoding)
})

test('a protobuf message that begins with a field that is not known may look like white space and a brace', () => {
  const request = encodeOtlp('logs', logs({ body: { stringValue: 'x' } }))
  const bytes = Buffer.concat([Buffer.from([0x20, 0x7b]), request])
  expect(encodingOf(bytes, 'logs')).toBe('protobuf')
  expect(decoded('logs', bytes)).toEqual(decoded('logs', request))
})

test('a protobuf message that begins like JSON behind a newline is protobuf', () => {
  // Its first group has 123 bytes, and so its length is written as a brace.
  const body = (length: number) => encodeOtlp('logs', logs({ body: { stringValue: 'x'.repeat(length) } }))
  const bytes = body(123 - (body(100).length - 102))
  expect(bytes.subarray(0, 2).toString()).toBe('\n{')
  expect(encodingOf(bytes, 'logs')).toBe('protobuf')
})
