import { describe, expect, test } from 'vitest'
import { decodeSpan } from '../../../src/models/decode-span.ts'
import { contextWith, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

const MINIMAL = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

const span = (changes: object) => recordOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))
const reason = (changes: object) => reasonOf(decodeSpan({ ...MINIMAL, ...changes }, contextWith()))

describe("a span's kind and status", () => {
  test.each([
    [3, 3],
    ['3', 3],
    [3n, 3],
    ['client', 3],
    ['Client', 3],
    ['SPAN_KIND_CLIENT', 3],
    ['internal', 1],
    ['server', 2],
    ['producer', 4],
    ['CONSUMER', 5],
    [0, 0],
    ['', 0],
    [null, 0],
  ])('kind %o is %i', (kind, expected) => {
    expect(span({ kind }).kind).toBe(expected)
  })

  test.each([
    [6, 'out_of_range'],
    ['-1', 'out_of_range'],
    [1.5, 'out_of_range'],
    ['proxy', 'wrong_type'],
    [true, 'wrong_type'],
    [{}, 'wrong_type'],
    ['toString', 'wrong_type'],
  ])('kind %o is refused', (kind, expected) => {
    expect(reason({ kind })).toBe(expected)
  })

  test.each([
    ['error', { code: 2, message: undefined }],
    ['OK', { code: 1, message: undefined }],
    ['STATUS_CODE_ERROR', { code: 2, message: undefined }],
    [2, { code: 2, message: undefined }],
    ['0', { code: 0, message: undefined }],
    [
      { code: 'error', message: 'boom' },
      { code: 2, message: 'boom' },
    ],
    [
      { code: 1, message: '' },
      { code: 1, message: undefined },
    ],
    [{ message: 'boom' }, { code: 0, message: 'boom' }],
    [{}, { code: 0, message: undefined }],
  ])('status %o is %o', (status, expected) => {
    expect(span({ status }).status).toEqual(expected)
  })

  test.each([
    [3, 'out_of_range'],
    [500, 'out_of_range'],
    ['broken', 'wrong_type'],
    [['error'], 'wrong_type'],
    [{ code: 'x' }, 'wrong_type'],
    [{ code: 1, message: 7 }, 'wrong_type'],
  ])('status %o is refused', (status, expected) => {
    expect(reason({ status })).toBe(expected)
  })
})
