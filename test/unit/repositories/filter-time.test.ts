import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { whereSql } from '../../../src/repositories/filter.ts'
import { parseFilterTime } from '../../../src/repositories/filter-time.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 9)
const NANOS_PER_MS = 1_000_000n
const parse = (text: string) => parseFilterTime(text, NOW_MS)
const nanos = (ms: number) => BigInt(ms) * NANOS_PER_MS

describe('a relative time', () => {
  test.each([
    ['-0s', 0],
    ['-1s', 1000],
    ['-15m', 900_000],
    ['-3h', 10_800_000],
    ['-7d', 604_800_000],
    ['-2w', 1_209_600_000],
    ['-090m', 5_400_000],
  ])('%s is that long before now', (text, ms) => {
    expect(parse(text)).toBe(nanos(NOW_MS - ms))
  })

  test('is that long before now for any amount and unit that nanoseconds hold', () => {
    const units = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n } as const
    const unit = fc.constantFrom('s', 'm', 'h', 'd', 'w')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), unit, (amount, name) => {
        const seconds = BigInt(amount) * units[name]
        expect(parse(`-${amount}${name}`)).toBe(nanos(NOW_MS) - seconds * 1_000_000_000n)
      }),
    )
  })

  test.each([
    '15m',
    '+15m',
    '-15',
    '-m',
    '-1.5h',
    '-15M',
    '-15min',
    '-1y',
    '-1ms',
    ' -15m',
    '-15m ',
    '- 15m',
    '--15m',
    '-15m30s',
  ])('%j is none', (text) => {
    // A number alone is unix seconds, whatever its sign: the one of these that is a time at all.
    expect(parse(text)).toBe(text === '-15' ? -15_000_000_000n : undefined)
  })

  test('further back than nanoseconds reach is none, like any other such time', () => {
    expect(parse('1600-01-01T00:00:00Z')).toBeUndefined()
    expect(parse('-999999999w')).toBeUndefined()
    expect(parse('-999999999d')).toBeUndefined()
  })
})

describe('an absolute time', () => {
  test.each([
    ['2026-11-23T09:00:00Z', nanos(NOW_MS)],
    ['2026-11-23T10:00:00+01:00', nanos(NOW_MS)],
    ['2026-11-23 09:00:00', nanos(NOW_MS)],
    ['2026-11-23', nanos(Date.UTC(2026, 10, 23))],
    ['2026-11-23T09:00:00.123456789Z', nanos(NOW_MS) + 123_456_789n],
    [String(NOW_MS / 1000), nanos(NOW_MS)],
    [String(NOW_MS), nanos(NOW_MS)],
    [`${NOW_MS}000`, nanos(NOW_MS)],
    [`${NOW_MS}000001`, nanos(NOW_MS) + 1n],
    [`${NOW_MS / 1000}.5`, nanos(NOW_MS) + 500_000_000n],
  ])('%s is unix nanoseconds whatever it is written in', (text, expected) => {
    expect(parse(text)).toBe(expected)
  })

  test.each([
    '',
    ' ',
    'now',
    'yesterday',
    '2026-02-30',
    '2026-11',
    '1600-01-01',
    '2026-13-01T00:00:00Z',
    '1e9',
    '0x10',
    'NaN',
    "2026-11-23' or true--",
  ])('%j is none', (text) => {
    expect(parse(text)).toBeUndefined()
  })
})

test('every time that is one fits int64 and becomes a time that PostgreSQL reads', () => {
  const anyText = fc.oneof(
    fc
      .integer({ min: 0, max: 999_999_999 })
      .chain((n) => fc.constantFrom('s', 'm', 'h', 'd', 'w').map((u) => `-${n}${u}`)),
    fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
    fc
      .date({ noInvalidDate: true, min: new Date(-9e12), max: new Date(9e12) })
      .map((date) => date.toISOString()),
    fc.string(),
  )
  fc.assert(
    fc.property(anyText, (text) => {
      const time = parse(text)
      if (time === undefined) return
      expect(BigInt.asIntN(64, time)).toBe(time)
      const columns = { time: 'start_time', timeUnixNano: 'start_time_unix_nano', texts: {} }
      const { values } = whereSql({ from: time, to: time }, columns)
      const [, from, , to] = values
      expect(from).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      expect(to).toBe(from)
    }),
    { numRuns: 500, examples: [['1969-12-31T23:59:59.5Z'], ['-0.5'], ['-1w']] },
  )
})
