import { describe, expect, test } from 'vitest'
import { decodeSpan } from '../../../src/models/decode-span.ts'
import { contextWith, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

const MINIMAL = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

const span = (changes: object) => recordOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))
const reason = (changes: object) => reasonOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))

describe("a span's events and links", () => {
  test('keep their fields, and an event without a time is at the start', () => {
    const decoded = span({
      events: [
        { name: 'first', timeUnixNano: String(NOW + 1n), attributes: { a: 1 }, droppedAttributesCount: 3 },
        { name: 'second', attributes: [{ key: 'b', value: { boolValue: true } }] },
        { name: 'third', time: '2026-11-23T09:00:01Z', unknown: 'ignored' },
        { name: 'fourth', time: '1970-01-01T00:00:00Z' },
      ],
      links: [
        { traceId: TRACE_ID.toUpperCase(), spanId: SPAN_ID, traceState: 's', flags: 1, attributes: { c: 2 } },
      ],
    })
    const noCount = { droppedAttributesCount: undefined }
    expect(decoded.events).toEqual([
      { name: 'first', timeUnixNano: NOW + 1n, attributes: { a: 1 }, droppedAttributesCount: 3 },
      { name: 'second', timeUnixNano: NOW, attributes: { b: true }, ...noCount },
      { name: 'third', timeUnixNano: NOW + 1_000_000_000n, attributes: {}, ...noCount },
      { name: 'fourth', timeUnixNano: NOW, attributes: {}, ...noCount },
    ])
    expect(decoded.links).toEqual([
      { traceId: TRACE_ID, spanId: SPAN_ID, traceState: 's', flags: 1, attributes: { c: 2 }, ...noCount },
    ])
  })

  test.each([
    [{ events: [{ timeUnixNano: 1 }] }, 'missing_field'],
    [{ events: [{ name: 7 }] }, 'wrong_type'],
    [{ events: ['name'] }, 'wrong_type'],
    [{ events: [{ name: 'e', time: 'soon' }] }, 'bad_time'],
    [{ events: [{ name: 'e', attributes: 7 }] }, 'wrong_type'],
    [{ links: [{ traceId: TRACE_ID }] }, 'missing_field'],
    [{ links: [{ spanId: SPAN_ID }] }, 'missing_field'],
    [{ links: [{ traceId: TRACE_ID, spanId: '0'.repeat(16) }] }, 'bad_id'],
    [{ links: [null] }, 'wrong_type'],
  ])('are refused in %o', (fields, expected) => {
    expect(reason(fields)).toBe(expected)
  })
})
