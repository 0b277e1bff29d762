import { describe, expect, test } from 'vitest'
import { decodeLogRecord } from '../../../src/models/decode-log-record.ts'
import { contextWith, LIMITS, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

const log = (fields: object, context = contextWith()) => recordOf(decodeLogRecord(fields, context))
const reason = (fields: object) => reasonOf(decodeLogRecord(fields, contextWith()))

describe('a log record', () => {
  test('needs nothing: its time is the entry id’s', () => {
    expect(recordOf(decodeLogRecord({}, contextWith()))).toStrictEqual({
      timeUnixNano: NOW,
      observedTimeUnixNano: undefined,
      severityNumber: 0,
      severityText: undefined,
      body: undefined,
      eventName: undefined,
      traceId: undefined,
      spanId: undefined,
      flags: undefined,
      attributes: {},
      droppedAttributesCount: undefined,
      service: 'unknown_service',
      resource: { attributes: {}, schemaUrl: undefined },
      scope: { name: undefined, version: undefined, attributes: {}, schemaUrl: undefined },
    })
  })

  test('typed with redis-cli is decoded from the flat form', () => {
    const fields = { service: 'api', level: 'error', message: 'boom', 'user.id': '42', retry: 'true' }
    expect(log(fields, contextWith({ flat: true }))).toMatchObject({
      timeUnixNano: NOW,
      service: 'api',
      severityNumber: 17,
      severityText: 'error',
      body: 'boom',
      attributes: { 'user.id': '42', retry: 'true' },
      resource: { attributes: { 'service.name': 'api' } },
    })
  })

  test('of OTLP is decoded whole', () => {
    const fields = {
      timeUnixNano: String(NOW + 1n),
      observedTimeUnixNano: String(NOW + 2n),
      severityNumber: 10,
      severityText: 'Information',
      traceId: TRACE_ID.toUpperCase(),
      spanId: SPAN_ID.toUpperCase(),
      body: { stringValue: 'Example log record' },
      eventName: 'gen_ai.client.inference.operation.details',
      flags: 1,
      droppedAttributesCount: 1,
      attributes: [{ key: 'a', value: { stringValue: 'x' } }],
    }
    expect(log(fields)).toMatchObject({
      ...fields,
      timeUnixNano: NOW + 1n,
      observedTimeUnixNano: NOW + 2n,
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      body: 'Example log record',
      attributes: { a: 'x' },
    })
  })

  test.each([
    [{ traceId: 'x' }, 'bad_id'],
    [{ severityNumber: 25 }, 'out_of_range'],
    [{ severityNumber: -1 }, 'out_of_range'],
    [{ severityNumber: 'ERROR' }, 'wrong_type'],
    [{ severityNumber: 1.5 }, 'wrong_type'],
    [{ severityText: 7 }, 'wrong_type'],
    [{ severityText: 'x'.repeat(1025) }, 'too_large'],
    [{ level: {} }, 'wrong_type'],
    [{ eventName: 7 }, 'wrong_type'],
    [{ body: () => 1 }, 'wrong_type'],
    [{ time: 'soon' }, 'bad_time'],
    [{ timestamp: 'soon' }, 'bad_time'],
    [{ observedTimeUnixNano: 'soon' }, 'bad_time'],
    [{ resource: 7 }, 'wrong_type'],
  ])('is refused with %o', (fields, expected) => {
    expect(reason(fields)).toBe(expected)
  })

  test('takes empty ids for none', () => {
    expect(log({ traceId: '', spanId: '' })).toMatchObject({ traceId: undefined, spanId: undefined })
    const zeros = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) }
    expect(log(zeros)).toMatchObject({ traceId: undefined, spanId: undefined })
  })
})

describe("a log record's time", () => {
  test.each([
    [{ timeUnixNano: String(NOW - 1n) }, NOW - 1n],
    [{ time: '2026-11-23T10:00:00.000000001+01:00' }, NOW + 1n],
    [{ timestamp: 1795424400000 }, NOW],
    [{ timeUnixNano: 0 }, NOW],
    [{ timeUnixNano: '0', observedTimeUnixNano: NOW + 5n }, NOW + 5n],
    [{ observedTimeUnixNano: NOW + 5n }, NOW + 5n],
    [{ timeUnixNano: NOW - 1n, time: NOW, timestamp: NOW }, NOW - 1n],
    [{ time: NOW - 2n, timestamp: NOW }, NOW - 2n],
    [{ time: '', timestamp: NOW - 3n }, NOW - 3n],
  ])('is read from %o', (fields, expected) => {
    expect(log(fields).timeUnixNano).toBe(expected)
  })

  test('lies inside the accepted window, also when it is the entry id’s', () => {
    expect(reason({ time: LIMITS.latest + 1n })).toBe('time_out_of_window')
    expect(reason({ time: LIMITS.earliest })).toBe('not refused')
    const context = contextWith({ defaultTimeUnixNano: 1_000_000n })
    expect(reasonOf(decodeLogRecord({}, context))).toBe('time_out_of_window')
  })
})

describe("a log record's severity", () => {
  test.each([
    [{ level: 'INFO' }, 9, 'INFO'],
    [{ level: 'loud' }, 0, 'loud'],
    [{ level: 30 }, 9, undefined],
    [{ level: '30' }, 9, undefined],
    [{ level: 3 }, 17, undefined],
    [{ level: 70 }, 0, '70'],
    [{ level: '' }, 0, undefined],
    [{ severityText: 'warn' }, 13, 'warn'],
    [{ severityText: '30' }, 9, '30'],
    [{ severityNumber: 12 }, 12, undefined],
    [{ severityNumber: '12', severityText: 'error' }, 12, 'error'],
    [{ severityNumber: 0, severityText: 'error' }, 17, 'error'],
    [{ severityNumber: 12, level: 'error' }, 12, 'error'],
    [{ severityText: 'loud', level: 'error' }, 17, 'loud'],
    [{ severityText: 'warn', level: 'error' }, 13, 'warn'],
  ])('of %o is %i %s', (fields, severityNumber, severityText) => {
    expect(log(fields)).toMatchObject({ severityNumber, severityText })
  })

  test('keeps a level beside a text as an attribute', () => {
    expect(log({ severityText: 'warn', level: 40 }).attributes).toEqual({ level: 40 })
  })
})

describe("a log record's body", () => {
  test.each([
    ['text', 'text'],
    ['', ''],
    [{ a: 1 }, { a: 1 }],
    [{}, {}],
    [
      [1, 'x'],
      [1, 'x'],
    ],
    [12345678901234567890n, 12345678901234567890n],
    [Number.NaN, 'NaN'],
    [{ stringValue: 'x' }, 'x'],
    [{ intValue: '5' }, 5],
    [{ doubleValue: 'NaN' }, 'NaN'],
    [{ boolValue: false }, false],
    [{ arrayValue: { values: [{ intValue: 1 }] } }, [1]],
    [{ kvlistValue: { values: [{ key: 'a', value: { stringValue: 'x' } }] } }, { a: 'x' }],
    [{ bytesValue: 'AQID' }, { bytesValue: 'AQID' }],
    [
      { stringValue: 'x', other: 1 },
      { stringValue: 'x', other: 1 },
    ],
    [{ boolValue: 'yes' }, { boolValue: 'yes' }],
    [{ intValue: 'many' }, { intValue: 'many' }],
    [{ arrayValue: [1] }, { arrayValue: [1] }],
    [null, undefined],
  ])('%o is stored as %o', (body, expected) => {
    expect(log({ body }).body).toEqual(expected)
    expect(log({ message: body }).body).toEqual(expected)
  })

  test('may come as message, which beside a body is an attribute', () => {
    expect(log({ body: 'b', message: 'm' })).toMatchObject({ body: 'b', attributes: { message: 'm' } })
    expect(log({ body: '', message: 'm' })).toMatchObject({ body: 'm', attributes: {} })
  })

  test('in the flat form is text even where it looks like JSON', () => {
    expect(log({ body: '{"a":1}' }, contextWith({ flat: true })).body).toBe('{"a":1}')
  })

  test('may nest as deep as the limit and no deeper', () => {
    const nest = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
    expect(reason({ body: nest(8) })).toBe('not refused')
    expect(reason({ body: nest(9) })).toBe('too_deep')
  })
})
