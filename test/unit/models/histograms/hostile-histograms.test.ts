import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_BOUNDS_HELD } from '../../../../src/models/histograms/explicit-sum.ts'
import type { HistogramPoint } from '../../../../src/models/histograms/histogram-point.ts'
import { HistogramSum } from '../../../../src/models/histograms/histogram-sum.ts'
import { increaseOf } from '../../../../src/models/histograms/increase-of.ts'
import { MAX_BUCKETS_HELD, OneSignSum } from '../../../../src/models/histograms/one-sign-sum.ts'

const NONE = { offset: 0, counts: [] }
const EXPONENTIAL = { scale: 0, zeroCount: 1, zeroThreshold: 0, positive: NONE, negative: NONE }

describe('buckets that are malformed', () => {
  test.each<[string, Omit<HistogramPoint, 'count'>]>([
    ['a negative count', { explicit: { bounds: [1], counts: [1, -1] } }],
    ['a count that is NaN', { explicit: { bounds: [1], counts: [Number.NaN, 1] } }],
    ['an endless count', { explicit: { bounds: [1], counts: [Infinity, 1] } }],
    ['bounds that do not ascend', { explicit: { bounds: [1, 1], counts: [1, 1, 1] } }],
    ['a bound that is NaN', { explicit: { bounds: [Number.NaN], counts: [1, 1] } }],
    ['an endless bound', { explicit: { bounds: [1, Infinity], counts: [1, 1, 1] } }],
    ['too few counts', { explicit: { bounds: [1], counts: [1] } }],
    ['too many counts', { explicit: { bounds: [1], counts: [1, 1, 1] } }],
    ['no bounds', { explicit: { bounds: [], counts: [1] } }],
    ['neither bounds nor counts', { explicit: { bounds: [], counts: [] } }],
    ['a scale out of range', { exponential: { ...EXPONENTIAL, scale: 1000 } }],
    ['a scale that is NaN', { exponential: { ...EXPONENTIAL, scale: Number.NaN } }],
    ['a broken scale', { exponential: { ...EXPONENTIAL, scale: 0.5 } }],
    ['a negative zero count', { exponential: { ...EXPONENTIAL, zeroCount: -1 } }],
    ['a negative zero threshold', { exponential: { ...EXPONENTIAL, zeroThreshold: -1 } }],
    ['an endless zero threshold', { exponential: { ...EXPONENTIAL, zeroThreshold: Infinity } }],
    [
      'an offset out of range',
      { exponential: { ...EXPONENTIAL, positive: { offset: 2 ** 40, counts: [1] } } },
    ],
    ['a broken offset', { exponential: { ...EXPONENTIAL, negative: { offset: 0.5, counts: [1] } } }],
    [
      'a count that is not one',
      { exponential: { ...EXPONENTIAL, positive: { offset: 0, counts: [Number.NaN] } } },
    ],
  ])('are left out where there is %s, and count and sum stay', (_, buckets) => {
    const sum = new HistogramSum()
    sum.add({ count: 2, sum: 3, ...buckets })
    expect([sum.count, sum.sum, sum.quantile(0.5)]).toEqual([2, 3, undefined])
  })

  test('make an increase of count and sum alone, or a whole point', () => {
    const malformed = { bounds: [1], counts: [1] }
    const point = { count: 5, sum: 5, explicit: { bounds: [1], counts: [2, 3] } }
    expect(
      increaseOf({ count: 5, sum: 5, explicit: malformed }, { count: 3, sum: 1, explicit: malformed }),
    ).toEqual({
      count: 2,
      sum: 4,
    })
    expect(increaseOf(point, { count: 3, sum: 1, explicit: malformed })).toBe(point)
  })
})

describe('a point', () => {
  test.each([-1, Number.NaN, Infinity])('is left out where its own count is %s', (count) => {
    const sum = new HistogramSum()
    sum.add({ count, sum: 3, min: 1, max: 1, explicit: { bounds: [1], counts: [1, 1] } })
    expect([sum.count, sum.sum, sum.min, sum.quantile(0.5)]).toEqual([0, undefined, undefined, undefined])
  })

  test('whose minimum or maximum is NaN does not hide the others', () => {
    const sum = new HistogramSum()
    for (const value of [Number.NaN, 3, 2, Number.NaN]) sum.add({ count: 1, min: value, max: value })
    expect([sum.min, sum.max]).toEqual([2, 3])
  })
})

describe('a quantile', () => {
  test.each([-0.1, 1.1, Number.NaN])('is undefined for q = %s', (q) => {
    const sum = new HistogramSum()
    sum.add({ count: 1, explicit: { bounds: [1], counts: [1, 0] } })
    expect(sum.quantile(q)).toBeUndefined()
  })

  test('is undefined where nothing was measured', () => {
    const sum = new HistogramSum()
    expect(sum.quantile(0.5)).toBeUndefined()
    sum.add({ count: 0, explicit: { bounds: [1], counts: [0, 0] } })
    sum.add({ count: 0, exponential: { ...EXPONENTIAL, zeroCount: 0 } })
    expect(sum.quantile(0.5)).toBeUndefined()
  })

  test('is undefined from the list of bounds on that is too many, whichever comes last', () => {
    const wide = Array.from({ length: MAX_BOUNDS_HELD / 2 }, (_, at) => at)
    const lists = [wide, wide.map((bound) => bound + 0.5), [1, 2]]
    for (const order of [lists, lists.toReversed()]) {
      const sum = new HistogramSum()
      for (const bounds of order)
        sum.add({ count: 1, explicit: { bounds, counts: [0, 1, ...bounds.slice(1).fill(0)] } })
      sum.add({ count: 1, explicit: { bounds: [1, 2], counts: [0, 1, 0] } })
      sum.add({ count: 1, exponential: EXPONENTIAL })
      expect([sum.count, sum.quantile(0.5)]).toEqual([5, undefined])
    }
  })
})

describe('exponential buckets held', () => {
  const anyBuckets = fc.record({
    offset: fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1), fc.integer()),
    counts: fc.array(fc.nat({ max: 3 }), { maxLength: 400 }),
  })

  test('are at most so many, wherever they lie, and none is lost', () => {
    const points = fc.array(fc.tuple(fc.integer({ min: -64, max: 64 }), anyBuckets), { maxLength: 8 })
    fc.assert(
      fc.property(points, (points) => {
        const sum = new OneSignSum()
        for (const [scale, buckets] of points) sum.add(scale, buckets)
        const indexes: number[] = []
        let count = 0
        sum.forEach((index, held) => {
          indexes.push(index)
          count += held
        })
        const added = points.flatMap(([, { counts }]) => counts).reduce((all, one) => all + one, 0)
        expect(count).toBe(added)
        if (added > 0) expect(indexes.at(-1)! - indexes[0]!).toBeLessThan(MAX_BUCKETS_HELD)
      }),
    )
  })
})

describe('any point at all', () => {
  const number = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.nat({ max: 5 }),
    fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 2 ** 64),
  )
  const buckets = fc.record({
    offset: fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0), number),
    counts: fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 5 }) }, number), { maxLength: 20 }),
  })
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
  const explicit = fc.oneof(
    fc.record({ bounds: fc.array(number, { maxLength: 4 }), counts: fc.array(number, { maxLength: 5 }) }),
    fc
      .uniqueArray(fc.double({ noDefaultInfinity: true, noNaN: true }), { minLength: 1, maxLength: 6 })
      .map((bounds) => ({ bounds: bounds.sort((a, b) => a - b), counts: [1, ...bounds.map(() => 2)] })),
  )
  const exponential = fc.record({
    scale: fc.oneof(fc.integer({ min: -10, max: 20 }), fc.constantFrom(-64, 64, 1000), number),
    zeroCount: fc.nat({ max: 5 }),
    zeroThreshold: fc.oneof(fc.constant(0), fc.double({ min: 0 }), number),
    positive: buckets,
    negative: buckets,
  })
  const point = fc.record({
    count: fc.oneof(fc.nat(), number),
    sum: optional(fc.double()),
    min: optional(fc.double()),
    max: optional(fc.double()),
    explicit: optional(explicit),
    exponential: optional(exponential),
  }) as fc.Arbitrary<HistogramPoint>

  test('is added, and the quantiles are numbers, or none', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), (points) => {
        const sum = new HistogramSum()
        let previous: HistogramPoint | undefined
        for (const one of points) {
          sum.add(one)
          sum.add(increaseOf(one, previous))
          previous = one
        }
        expect(Number.isFinite(sum.count)).toBe(true)
        for (const q of [0, 0.01, 0.5, 0.99, 1]) expect(sum.quantile(q) ?? 0).toSatisfy(Number.isFinite)
      }),
      { numRuns: 500 },
    )
  })
})
