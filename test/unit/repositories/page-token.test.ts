import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPageToken, writePageToken } from '../../../src/repositories/page-token.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
const position = fc.record({
  timeUnixNano: int64,
  entryMs: int64,
  entrySeq: int64,
  recordIndex: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
})

test('a token leads back to where its page ended, for the same query alone', () => {
  fc.assert(
    fc.property(position, fc.dictionary(fc.string(), fc.string()), (end, query) => {
      const token = writePageToken(end, query)
      expect(readPageToken(token, query)).toEqual(end)
      expect(readPageToken(token, { ...query, more: '1' })).toBe('foreign')
    }),
  )
})

test.each([
  '',
  'x',
  '....',
  'MQ',
  '"; drop table spans',
  `${'A'.repeat(300)}`,
  Buffer.from('a.1.2.3.4.5').toString('base64url'),
  Buffer.from(`a.${2n ** 63n}.1.1.1`).toString('base64url'),
  Buffer.from('a.1.1.1.9999999999').toString('base64url'),
])('%j is no token', (token) => {
  expect(readPageToken(token, {})).toBeUndefined()
})

test('whatever is sent, it is a position, foreign, or none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (token) => {
      expect(['foreign', undefined]).toContain(readPageToken(token, {}))
    }),
    { numRuns: 500 },
  )
})
