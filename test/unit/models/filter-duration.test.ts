import { expect, test } from 'vitest'
import { parseDuration } from '../../../src/models/filter-duration.ts'

test.each([
  ['250ms', 250_000_000n],
  ['1.5s', 1_500_000_000n],
  ['10', 10_000_000n],
  ['3ns', 3n],
  ['7us', 7000n],
  ['2m', 120_000_000_000n],
  ['1h', 3_600_000_000_000n],
  ['30d', 2_592_000_000_000_000n],
  [' 0 ', 0n],
])('%j is a duration', (text, nanos) => {
  expect(parseDuration(text)).toBe(nanos)
})

test.each(['', 'ms', '-1s', '1w', '1e3', '1.s', '999999999999999h', '1s2ms', 'NaN'])('%j is none', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})
