import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hoursOf, overlaps, partitionName, partitionRange } from '../../../src/retention/partition-range.ts'
import { PARTITIONED_TABLES } from '../../../src/retention/partitions.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** What `bigint` nanoseconds reach from 1970 on either side: 1677 to 2262. */
const MAX_UNIX_MS = 9_223_372_036_854
const anyTime = fc.oneof(
  fc.integer({ min: -MAX_UNIX_MS, max: MAX_UNIX_MS }),
  fc.integer({ min: -100, max: 100 }).map((days) => days * DAY),
  fc.integer({ min: -100, max: 100 }).map((days) => days * DAY - 1),
)
const anyInterval = fc.constantFrom('hour' as const, 'day' as const)

describe('the range of a time', () => {
  test('holds it, is as long as the interval and begins where the clock of UTC does', () => {
    fc.assert(
      fc.property(anyTime, anyInterval, (time, interval) => {
        const { fromMs, toMs } = partitionRange(time, interval)
        expect(fromMs).toBeLessThanOrEqual(time)
        expect(toMs).toBeGreaterThan(time)
        expect(toMs - fromMs).toBe(interval === 'hour' ? HOUR : DAY)
        const iso = new Date(fromMs).toISOString()
        expect(iso.slice(interval === 'hour' ? 14 : 11, 23)).toBe(
          interval === 'hour' ? '00:00.000' : '00:00:00.000',
        )
      }),
    )
  })

  test('is the one of its own first and last millisecond, and its end begins the next', () => {
    fc.assert(
      fc.property(anyTime, anyInterval, (time, interval) => {
        const range = partitionRange(time, interval)
        expect(partitionRange(range.fromMs, interval)).toEqual(range)
        expect(partitionRange(range.toMs - 1, interval)).toEqual(range)
        expect(partitionRange(range.toMs, interval).fromMs).toBe(range.toMs)
      }),
    )
  })

  test('before 1970 is not that of the day after', () => {
    expect(partitionRange(-1, 'day')).toEqual({ fromMs: -DAY, toMs: 0 })
    expect(partitionRange(0, 'day')).toEqual({ fromMs: 0, toMs: DAY })
  })
})

test('the hours of a range make it up without gap or overlap', () => {
  fc.assert(
    fc.property(anyTime, anyInterval, (time, interval) => {
      const range = partitionRange(time, interval)
      const hours = hoursOf(range)
      expect(hours).toHaveLength(interval === 'hour' ? 1 : 24)
      expect(hours[0]?.fromMs).toBe(range.fromMs)
      expect(hours.at(-1)?.toMs).toBe(range.toMs)
      hours.forEach((hour, index) => {
        expect(hour).toEqual(partitionRange(hour.fromMs, 'hour'))
        if (index > 0) expect(hour.fromMs).toBe(hours[index - 1]?.toMs)
      })
    }),
  )
})

test('two ranges overlap when some millisecond is in both, and touching is not overlapping', () => {
  const small = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 5 }))
  fc.assert(
    fc.property(small, small, ([aFrom, aLength], [bFrom, bLength]) => {
      const a = { fromMs: aFrom, toMs: aFrom + aLength }
      const b = { fromMs: bFrom, toMs: bFrom + bLength }
      const shared = Array.from({ length: 20 }, (_, ms) => ms).some(
        (ms) => ms >= a.fromMs && ms < a.toMs && ms >= b.fromMs && ms < b.toMs,
      )
      expect(overlaps(a, b)).toBe(shared)
      expect(overlaps(b, a)).toBe(shared)
    }),
    { numRuns: 500 },
  )
})

describe('the name of a partition', () => {
  test('is the table, and the day or the hour in UTC', () => {
    const time = Date.UTC(2026, 10, 23, 14, 59, 59, 999)
    expect(partitionName('spans', partitionRange(time, 'day'))).toBe('spans_p20261123')
    expect(partitionName('log_records', partitionRange(time, 'hour'))).toBe('log_records_p20261123t14')
  })

  test('differs from that of every other range of the table', () => {
    fc.assert(
      fc.property(anyTime, anyTime, anyInterval, anyInterval, (timeA, timeB, intervalA, intervalB) => {
        const a = partitionRange(timeA, intervalA)
        const b = partitionRange(timeB, intervalB)
        const isSame = a.fromMs === b.fromMs && a.toMs === b.toMs
        expect(partitionName('spans', a) === partitionName('spans', b)).toBe(isSame)
      }),
      { examples: [[0, 0, 'hour', 'day']] },
    )
  })

  test('is one that PostgreSQL neither cuts nor wants quoted', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PARTITIONED_TABLES), anyTime, anyInterval, (table, time, interval) => {
        expect(partitionName(table, partitionRange(time, interval))).toMatch(/^[a-z_][a-z0-9_]{0,55}$/)
      }),
    )
  })
})
