import { describe, expect, test } from 'vitest'
import { decodeSpan } from '../../../src/models/decode-span.ts'
import { contextWith, LIMITS, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

const MINIMAL = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

const span = (changes: object, context = contextWith()) =>
  recordOf(decodeSpan({ ...MINIMAL, ...changes }, context))
const reason = (changes: object, context = contextWith()) =>
  reasonOf(decodeSpan({ ...MINIMAL, ...changes }, context))

describe('a span', () => {
  test('needs no more than ids, a name and a start', () => {
    expect(recordOf(decodeSpan(MINIMAL, contextWith()))).toStrictEqual({
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      parentSpanId: undefined,
      traceState: undefined,
      flags: undefined,
      name: 'chat',
      kind: 0,
      startTimeUnixNano: NOW,
      endTimeUnixNano: undefined,
      status: { code: 0, message: undefined },
      attributes: {},
      events: [],
      links: [],
      droppedAttributesCount: undefined,
      droppedEventsCount: undefined,
      droppedLinksCount: undefined,
      service: 'unknown_service',
      resource: { attributes: {}, schemaUrl: undefined },
      scope: { name: undefined, version: undefined, attributes: {}, schemaUrl: undefined },
    })
  })

  test.each(['traceId', 'spanId', 'name', 'startTimeUnixNano'])('is refused without %s', (field) => {
    expect(reason({ [field]: undefined })).toBe('missing_field')
    expect(reason({ [field]: null })).toBe('missing_field')
  })

  test.each([[null], ['text'], [42], [[MINIMAL]], [undefined]])('is not %o', (input) => {
    expect(reasonOf(decodeSpan(input, contextWith()))).toBe('wrong_type')
  })

  test('is decoded alike after one that was refused', () => {
    const context = contextWith()
    expect(reason({ traceId: 'x' }, context)).toBe('bad_id')
    expect(reason({}, context)).toBe('not refused')
  })

  test('keeps every field of OTLP', () => {
    const fields = {
      parentSpanId: 'EEE19B7EC3C1B173',
      traceState: 'vendor=1',
      flags: 4294967295,
      droppedAttributesCount: 1,
      droppedEventsCount: '2',
      droppedLinksCount: 0,
    }
    expect(span(fields)).toMatchObject({ ...fields, parentSpanId: 'eee19b7ec3c1b173', droppedEventsCount: 2 })
  })

  test.each([
    ['flags', -1, 'out_of_range'],
    ['flags', 4294967296, 'out_of_range'],
    ['flags', 1.5, 'wrong_type'],
    ['flags', 'some', 'wrong_type'],
    ['traceState', {}, 'wrong_type'],
    ['name', 7, 'wrong_type'],
    ['droppedEventsCount', true, 'wrong_type'],
    ['attributes', 'x', 'wrong_type'],
    ['events', {}, 'wrong_type'],
    ['links', 'x', 'wrong_type'],
  ])('is refused with %s %o', (field, value, expected) => {
    expect(reason({ [field]: value })).toBe(expected)
  })

  test('must have a name that an index can hold, though it may be empty', () => {
    expect(span({ name: '' }).name).toBe('')
    expect(reason({ name: 'x'.repeat(1024) })).toBe('not refused')
    expect(reason({ name: 'x'.repeat(1025) })).toBe('too_large')
  })
})

describe("a span's times", () => {
  const iso = '2026-11-23T09:00:00.123456789Z'

  test.each([
    ['startTimeUnixNano', String(NOW + 123456789n), NOW + 123456789n],
    ['startTimeUnixNano', NOW + 123456789n, NOW + 123456789n],
    ['startTime', iso, NOW + 123456789n],
    ['startTime', '2026-11-23 09:00:00.123456789', NOW + 123456789n],
    ['startTime', Number(NOW / 1_000_000n), NOW],
    ['startTime', '1795424400', NOW],
  ])('start at %s %o', (field, value, expected) => {
    expect(span({ startTimeUnixNano: undefined, [field]: value }).startTimeUnixNano).toBe(expected)
  })

  test.each([
    [{ endTimeUnixNano: String(NOW + 5n) }, NOW + 5n],
    [{ endTime: iso }, NOW + 123456789n],
    [{ durationMs: 1500 }, NOW + 1_500_000_000n],
    [{ durationMs: 0.000001 }, NOW + 1n],
    [{ durationMs: '12.5' }, NOW + 12_500_000n],
    [{ durationMs: 0 }, NOW],
    [{ endTimeUnixNano: '0', durationMs: 1 }, NOW + 1_000_000n],
    [{ endTimeUnixNano: '0' }, undefined],
    [{ endTime: iso, durationMs: 1 }, NOW + 123456789n],
  ])('end as %o says', (fields, expected) => {
    expect(span(fields).endTimeUnixNano).toBe(expected)
  })

  test.each([
    [{ endTimeUnixNano: String(NOW - 1n) }],
    [{ endTime: '2026-11-23T08:59:59Z' }],
    [{ durationMs: -1 }],
    [{ durationMs: 'long' }],
    [{ durationMs: 1e30 }],
    [{ durationMs: true }],
    [{ startTimeUnixNano: '2026-11-23T09:00:00Z' }],
    [{ startTimeUnixNano: 1.5 }],
    [{ startTimeUnixNano: undefined, startTime: '2026-02-30T00:00:00Z' }],
    [{ startTimeUnixNano: '18446744073709551615' }],
    [{ endTimeUnixNano: {} }],
  ])('are refused with %o', (fields) => {
    expect(reason(fields)).toBe('bad_time')
  })

  test('lie inside the accepted window, ends included', () => {
    const { earliest, latest } = LIMITS
    expect(reason({ startTimeUnixNano: earliest })).toBe('not refused')
    expect(reason({ startTimeUnixNano: earliest - 1n })).toBe('time_out_of_window')
    expect(reason({ startTimeUnixNano: latest })).toBe('not refused')
    expect(reason({ startTimeUnixNano: latest + 1n })).toBe('time_out_of_window')
    expect(reason({ startTimeUnixNano: 1 })).toBe('time_out_of_window')
  })

  test('are not given where the start is the epoch, as OTLP writes a time it does not know', () => {
    expect(reason({ startTimeUnixNano: 0 })).toBe('missing_field')
    expect(reason({ startTimeUnixNano: '0', startTime: iso })).toBe('not refused')
  })
})

describe('the flat form of a span', () => {
  const flat = (fields: object) => decodeSpan({ ...MINIMAL, ...fields }, contextWith({ flat: true }))

  test('parses objects and lists from JSON text and keeps unknown fields as text', () => {
    const decoded = recordOf(
      flat({
        kind: 'server',
        status: '{"code":"error","message":"boom"}',
        durationMs: '2',
        attributes: '{"a":12345678901234567890}',
        events: '[{"name":"e","attributes":{"x":1}}]',
        links: `[{"traceId":"${TRACE_ID}","spanId":"${SPAN_ID}"}]`,
        resource: '{"host.name":"h"}',
        scope: '{"name":"lib"}',
        'user.id': '42',
        flag: 'true',
      }),
    )
    expect(decoded).toMatchObject({
      kind: 2,
      status: { code: 2, message: 'boom' },
      endTimeUnixNano: NOW + 2_000_000n,
      attributes: { a: 12345678901234567890n, 'user.id': '42', flag: 'true' },
      events: [{ name: 'e', attributes: { x: 1 } }],
      links: [{ traceId: TRACE_ID }],
      resource: { attributes: { 'host.name': 'h' } },
      scope: { name: 'lib' },
    })
  })

  test('takes an empty field for one that is not there', () => {
    const empty = {
      parentSpanId: '',
      kind: '',
      status: '',
      durationMs: '',
      events: '',
      links: '',
      attributes: '',
      scope: '',
    }
    expect(recordOf(flat(empty))).toStrictEqual(recordOf(flat({})))
  })

  test.each(['attributes', 'events', 'links', 'resource', 'scope'])(
    'is refused where %s is not JSON',
    (field) => {
      expect(reasonOf(flat({ [field]: 'a=b' }))).toBe('not_json')
    },
  )
})

describe('unknown fields of a span', () => {
  test('become attributes as they came, and what attributes says wins', () => {
    const decoded = span({
      custom: { a: [1] },
      model: 'm',
      nothing: null,
      gone: undefined,
      attributes: { model: 'n' },
    })
    expect(decoded.attributes).toEqual({ custom: { a: [1] }, model: 'n', nothing: null })
  })

  test('named __proto__ become an attribute of that name', () => {
    const input = JSON.parse(
      `{"__proto__":{"x":1},"traceId":"${TRACE_ID}","spanId":"${SPAN_ID}","name":"n","startTimeUnixNano":"${NOW}"}`,
    )
    const { attributes } = recordOf(decodeSpan(input, contextWith()))
    expect(JSON.stringify(attributes)).toBe('{"__proto__":{"x":1}}')
  })

  test('are refused like attributes', () => {
    expect(reason({ custom: () => 1 })).toBe('wrong_type')
  })
})

test('a span is cleaned of NUL and lone surrogates wherever there is text', () => {
  const context = contextWith({ suspicious: true })
  const bad = 'a\0\ud800'
  const decoded = span(
    {
      name: bad,
      traceState: bad,
      service: bad,
      status: { code: 2, message: bad },
      attributes: { [bad]: bad },
      events: [{ name: bad }],
      scope: { name: bad },
      [bad]: bad,
    },
    context,
  )
  expect(JSON.stringify(decoded, (_key, value) => (typeof value === 'bigint' ? 0 : value))).not.toMatch(
    /\\u0000|\\ud800/,
  )
  expect(decoded.name).toBe('a\ufffd\ufffd')
  expect(context.cleaned).toBe(10)
})
