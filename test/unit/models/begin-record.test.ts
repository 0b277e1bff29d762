import { describe, expect, test } from 'vitest'
import { decodeLogRecord } from '../../../src/models/decode-log-record.ts'
import { contextWith, LIMITS, reasonOf } from './decoding.ts'

const reason = (fields: object, context = contextWith()) => reasonOf(decodeLogRecord(fields, context))

describe('a record that is too large', () => {
  const limits = { ...LIMITS, maxRecordBytes: 1000 }

  test('is refused where its entry is too, and not measured where it is not', () => {
    const big = { attributes: { text: 'x'.repeat(2000) } }
    expect(reason(big, contextWith({ limits, entryBytes: 3000 }))).toBe('too_large')
    expect(reason(big, contextWith({ limits, entryBytes: 900 }))).toBe('not refused')
    expect(reason({}, contextWith({ limits, entryBytes: 3000 }))).toBe('not refused')
  })

  test('is refused without being walked to the end, however deep it is', () => {
    let deep: unknown = 'x'
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(reason({ attributes: { deep } }, contextWith({ limits, entryBytes: 200_000 }))).toBe('too_large')
    expect(reason({ attributes: { deep } })).toBe('too_deep')
  })
})
