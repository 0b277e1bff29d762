import { expect, test } from 'vitest'
import { formatCost, formatNanos, formatTime } from '../../../../src/commands/query/format-value.ts'

test.each([
  [0, '0 ns'],
  [999, '999 ns'],
  [1500, '1.50 µs'],
  [999_600, '1.00 ms'],
  [830_000_000, '830 ms'],
  [2_314_000_000, '2.31 s'],
  [59_400_000_000, '59.4 s'],
  [59_999_000_000, '1m 00s'],
  [3_599_000_000_000n, '59m 59s'],
  [3_600_000_000_000, '1h 00m'],
  [86_400_000_000_000 * 3.5, '3d 12h'],
])('%d ns are %s', (nanos, text) => {
  expect(formatNanos(nanos)).toBe(text)
})

test.each([
  [0, '$0.00'],
  [0.00021, '$0.00021'],
  [0.00000034, '$0.00000034'],
  [0.5, '$0.5'],
  [1234.5, '$1,234.50'],
])('%d dollars are %s', (dollars, text) => {
  expect(formatCost(dollars)).toBe(text)
})

test('a time is one that filters take', () => {
  expect(formatTime('1700000000123456789')).toBe('2023-11-14T22:13:20.123Z')
  expect(formatTime('-1')).toBe('1970-01-01T00:00:00.000Z')
})
