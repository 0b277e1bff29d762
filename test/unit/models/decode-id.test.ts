import { describe, expect, test } from 'vitest'
import { decodeSpan } from '../../../src/models/decode-span.ts'
import { contextWith, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

const MINIMAL = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

const span = (changes: object) => recordOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))
const reason = (changes: object) => reasonOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))

describe("a span's ids", () => {
  test('are lowercase whatever they were', () => {
    expect(span({ traceId: TRACE_ID.toUpperCase(), spanId: SPAN_ID.toUpperCase() })).toMatchObject({
      traceId: TRACE_ID,
      spanId: SPAN_ID,
    })
  })

  test('may leave the parent empty, which is none', () => {
    expect(span({ parentSpanId: '' }).parentSpanId).toBeUndefined()
  })

  test.each([
    ['traceId', '0'.repeat(32)],
    ['traceId', TRACE_ID.slice(1)],
    ['traceId', `${TRACE_ID}0`],
    ['traceId', '5b8efff7-9803-8103-d269-b633813fc60c'],
    ['traceId', `${TRACE_ID.slice(1)}g`],
    ['traceId', `${TRACE_ID.slice(1)}\u0131`],
    ['traceId', `${TRACE_ID.slice(1)}\u0161`],
    ['traceId', 42],
    ['traceId', [TRACE_ID]],
    ['spanId', '0'.repeat(16)],
    ['spanId', TRACE_ID],
    ['spanId', '7hhhhhhhhhhhhhhh'],
    ['parentSpanId', '0'.repeat(16)],
    ['parentSpanId', 'root'],
  ])('are refused where %s is %o', (field, value) => {
    expect(reason({ [field]: value })).toBe('bad_id')
  })
})
