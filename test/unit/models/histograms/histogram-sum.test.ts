import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HistogramPoint } from '../../../../src/models/histograms/histogram-point.ts'
import { HistogramSum } from '../../../../src/models/histograms/histogram-sum.ts'
import {
  bounds,
  explicitBucket,
  explicitPoint,
  exponentialBucket,
  exponentialPoint,
  FINEST,
  measuredValue,
  measurement,
  measurements,
  scale,
  someMeasurements,
  trueQuantile,
} from './measurements.ts'

const quantile = fc.double({ min: 0, max: 1, noNaN: true })
const NONE = { offset: 0, counts: [] }

function sumOf(...points: readonly HistogramPoint[]): HistogramSum {
  const sum = new HistogramSum()
  for (const point of points) sum.add(point)
  return sum
}

function explicit(bounds: readonly number[], counts: readonly number[]): HistogramPoint {
  return { count: counts.reduce((sum, count) => sum + count, 0), explicit: { bounds, counts } }
}

function exponential(buckets: Partial<NonNullable<HistogramPoint['exponential']>>): HistogramPoint {
  const whole = { scale: 0, zeroCount: 0, zeroThreshold: 0, positive: NONE, negative: NONE, ...buckets }
  const counts = [whole.zeroCount, ...whole.positive.counts, ...whole.negative.counts]
  return { count: counts.reduce((sum, count) => sum + count, 0), exponential: whole }
}

/** Within the bucket, but for the last digits: its ends are computed in two ways. */
function expectWithin(value: number | undefined, [lower, upper]: readonly [number, number]) {
  expect(value).toBeGreaterThanOrEqual(lower - Math.abs(lower) * 1e-12)
  expect(value).toBeLessThanOrEqual(upper + Math.abs(upper) * 1e-12)
}

describe('count, sum, minimum and maximum', () => {
  test('are those of all measurements', () => {
    fc.assert(
      fc.property(fc.array(someMeasurements, { minLength: 1, maxLength: 6 }), scale, (lists, scale) => {
        const sum = sumOf(...lists.map((list) => exponentialPoint(list, scale)))
        const values = lists.flat().map(measuredValue)
        expect(sum.count).toBe(values.length)
        expect(sum.sum).toBeCloseTo(values.reduce((all, value) => all + value, 0))
        expect([sum.min, sum.max]).toEqual([Math.min(...values), Math.max(...values)])
      }),
    )
  })

  test('are undefined, but for the count, where no point has them', () => {
    const { count, sum, min, max } = sumOf({ count: 2 })
    expect({ count, sum, min, max }).toEqual({ count: 2, sum: undefined, min: undefined, max: undefined })
  })
})

describe('a quantile of explicit buckets', () => {
  test('is interpolated in its bucket, as Prometheus does', () => {
    const sum = sumOf(explicit([0, 0.5, 1], [6, 5, 3, 5]))
    expect(sum.quantile(0.5)).toBe(0.35)
    expect(sum.quantile(12.5 / 19)).toBeCloseTo(0.75, 12)
  })

  test('is the highest bound in the last bucket', () => {
    expect(sumOf(explicit([0, 0.5, 1], [6, 5, 3, 5])).quantile(0.9)).toBe(1)
  })

  test('is the bound of the first bucket where that is not above 0', () => {
    expect(sumOf(explicit([-2, 1], [4, 1, 0])).quantile(0.1)).toBe(-2)
    expect(sumOf(explicit([0, 1], [4, 1, 0])).quantile(0.1)).toBe(0)
  })

  test('is interpolated from 0 in the first bucket otherwise', () => {
    expect(sumOf(explicit([2, 4], [4, 0, 0])).quantile(0.25)).toBe(0.5)
  })

  test('at 0 is the lower end of the first bucket that is not empty', () => {
    expect(sumOf(explicit([1, 2, 3], [0, 0, 4, 0])).quantile(0)).toBe(2)
  })

  test('adds up the buckets of all points, whichever lists of bounds are between them', () => {
    const [one, other] = [explicit([0, 0.5, 1], [6, 2, 0, 5]), explicit([0, 0.5, 1], [0, 3, 3, 0])]
    expect(sumOf(one, other).quantile(0.5)).toBe(0.35)
    expect(sumOf(one, explicit([7], [0, 0]), other).quantile(0.5)).toBe(0.35)
  })

  test('is in the bucket of the true one', () => {
    fc.assert(
      fc.property(
        fc.array(someMeasurements, { minLength: 1, maxLength: 4 }),
        bounds,
        quantile,
        (lists, bounds, q) => {
          const sum = sumOf(...lists.map((list) => explicitPoint(list, bounds)))
          const bucket = explicitBucket(trueQuantile(lists.flat(), q), bounds)
          expectWithin(sum.quantile(q), bucket)
        },
      ),
    )
  })
})

describe('a quantile of exponential buckets', () => {
  test('is interpolated geometrically, mirrored below 0', () => {
    const counts = { offset: 2, counts: [4] }
    expect(sumOf(exponential({ positive: counts })).quantile(0.5)).toBeCloseTo(2 ** 2.5, 12)
    expect(sumOf(exponential({ positive: counts })).quantile(0.25)).toBeCloseTo(2 ** 2.25, 12)
    expect(sumOf(exponential({ negative: counts })).quantile(0.25)).toBeCloseTo(-(2 ** 2.75), 12)
  })

  test('is interpolated linearly in the zero bucket, on the side of 0 that has measurements', () => {
    const zero = { zeroCount: 4, zeroThreshold: 0.25 }
    const one = { offset: 0, counts: [1] }
    expect(sumOf(exponential(zero)).quantile(0.25)).toBe(-0.125)
    expect(sumOf(exponential({ ...zero, positive: one })).quantile(0.4)).toBe(0.125)
    expect(sumOf(exponential({ ...zero, negative: one })).quantile(0.6)).toBe(-0.125)
    expect(sumOf(exponential({ ...zero, positive: one, negative: one })).quantile(0.5)).toBe(0)
  })

  test('takes what is inside the largest zero threshold as near 0', () => {
    const fine = exponential({ positive: { offset: -3, counts: [2, 2, 0, 4] } })
    const coarse = exponential({ zeroCount: 4, zeroThreshold: 0.5 })
    for (const sum of [sumOf(fine, coarse), sumOf(coarse, fine)]) {
      expect(sum.quantile(4 / 12)).toBeCloseTo(0.25, 12)
      expect(sum.quantile(10 / 12)).toBeCloseTo(Math.SQRT2, 12)
    }
  })

  test('leaves a bucket that is partly inside the zero bucket outside, with what is not inside', () => {
    const sum = sumOf(
      exponential({ zeroCount: 2, zeroThreshold: 3 }),
      exponential({ positive: { offset: 1, counts: [2] } }),
    )
    expect(sum.quantile(0.5)).toBe(3)
    expect(sum.quantile(0.75)).toBeCloseTo(Math.sqrt(12), 12)
  })

  test('is in the bucket of the true one, at the lowest scale of the points', () => {
    const points = fc.array(fc.tuple(someMeasurements, fc.integer({ min: -2, max: 3 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(points, quantile, (points, q) => {
        const sum = sumOf(...points.map(([list, scale]) => exponentialPoint(list, scale)))
        const lowest = Math.min(...points.map(([, scale]) => scale))
        const all = points.flatMap(([list]) => list)
        expectWithin(sum.quantile(q), exponentialBucket(trueQuantile(all, q), lowest))
      }),
    )
  })

  test('is off by an eighth of an octave at most where 20 octaves are measured finer than can be held', () => {
    fc.assert(
      fc.property(fc.array(someMeasurements, { minLength: 1, maxLength: 6 }), quantile, (lists, q) => {
        const sum = sumOf(...lists.map((list) => exponentialPoint(list, FINEST)))
        const one = trueQuantile(lists.flat(), q)
        const value = sum.quantile(q)!
        expect(Math.sign(value)).toBe(one.sign)
        if (one.sign !== 0) expect(Math.abs(Math.log2(value / measuredValue(one)))).toBeLessThanOrEqual(1 / 8)
      }),
    )
  })

  test('is at full scale where what is measured spans fewer buckets than are held', () => {
    const near = fc.record({ sign: fc.constant<1>(1), at: fc.integer({ min: 5_000, max: 5_319 }) })
    fc.assert(
      fc.property(fc.array(near, { minLength: 1, maxLength: 60 }), quantile, (list, q) => {
        const sum = sumOf(...list.map((one) => exponentialPoint([one], FINEST)))
        expectWithin(sum.quantile(q), exponentialBucket(trueQuantile(list, q), FINEST))
      }),
    )
  })
})

describe('a quantile of several distributions', () => {
  const mixed = fc.array(fc.tuple(someMeasurements, fc.oneof(bounds, fc.integer({ min: -2, max: 3 }))), {
    minLength: 2,
    maxLength: 5,
  })

  function pointOf(list: Parameters<typeof explicitPoint>[0], buckets: readonly number[] | number) {
    return typeof buckets === 'number' ? exponentialPoint(list, buckets) : explicitPoint(list, buckets)
  }

  test('is where their distribution functions add up to it', () => {
    const sum = sumOf(explicit([10, 20], [0, 10, 0]), explicit([5, 15, 30], [0, 0, 15, 0]))
    // Up to 17: 7 of the first list, and of the second 2 in each unit above 15, 15 / 15 a unit: 2. In all 9 of 25.
    expect(sum.quantile(9 / 25)).toBeCloseTo(17, 9)
    const both = sumOf(explicit([1, 4], [0, 9, 0]), exponential({ positive: { offset: 0, counts: [4, 4] } }))
    // Up to 2: a third of 9, and the first 4.
    expect(both.quantile(7 / 17)).toBeCloseTo(2, 9)
    // Up to 2^1.5: 9 * (2^1.5 - 1) / 3 of the linear bucket, 4 + 2 of the geometric ones.
    expect(both.quantile((3 * (2 ** 1.5 - 1) + 6) / 17)).toBeCloseTo(2 ** 1.5, 9)
  })

  test('takes a bucket without width as measurements of one value', () => {
    const sum = sumOf(
      explicit([-1], [4, 0]),
      exponential({ zeroCount: 2, positive: { offset: 0, counts: [2] } }),
    )
    expect([0, 0.5, 0.6, 0.75, 0.875].map((q) => sum.quantile(q))).toEqual([
      -1,
      -1,
      0,
      0,
      expect.closeTo(Math.SQRT2),
    ])
  })

  test('is not beyond what they hold the true one to', () => {
    fc.assert(
      fc.property(mixed, quantile, (points, q) => {
        const all = points.flatMap(([list]) => list)
        const one = trueQuantile(all, q)
        const lowest = Math.min(...points.map(([, buckets]) => (typeof buckets === 'number' ? buckets : 3)))
        const ends = points.map(([, buckets]) =>
          typeof buckets === 'number' ? exponentialBucket(one, lowest) : explicitBucket(one, buckets),
        )
        const sum = sumOf(...points.map(([list, buckets]) => pointOf(list, buckets)))
        expectWithin(sum.quantile(q), [
          Math.min(...ends.map(([lower]) => lower)),
          Math.max(...ends.map(([, upper]) => upper)),
        ])
      }),
    )
  })

  test('is between the quantiles of each', () => {
    fc.assert(
      fc.property(
        someMeasurements,
        someMeasurements,
        bounds,
        scale,
        quantile,
        (some, others, bounds, scale, q) => {
          const [one, other] = [explicitPoint(some, bounds), exponentialPoint(others, scale)]
          const parts = [sumOf(one).quantile(q)!, sumOf(other).quantile(q)!] as const
          expectWithin(sumOf(one, other).quantile(q), [Math.min(...parts), Math.max(...parts)])
        },
      ),
    )
  })

  test('rises with q', () => {
    fc.assert(
      fc.property(mixed, (points) => {
        const sum = sumOf(...points.map(([list, buckets]) => pointOf(list, buckets)))
        const values = Array.from({ length: 21 }, (_, at) => sum.quantile(at / 20)!)
        expect(values).toEqual(values.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('a sum of histograms', () => {
  const point = fc.oneof(
    fc.tuple(measurements, scale).map(([list, scale]) => exponentialPoint(list, scale)),
    fc.tuple(measurements, fc.double({ min: 0, max: 9, noNaN: true })).map(([list, zeroThreshold]) => {
      const { exponential, ...totals } = exponentialPoint(list, FINEST)
      return { ...totals, exponential: { ...exponential!, zeroThreshold } }
    }),
    fc
      .tuple(measurements, fc.constantFrom([0, 5, 10], [1, 2]))
      .map(([list, bounds]) => explicitPoint(list, bounds)),
    measurement.map((one) => ({ count: 1, sum: measuredValue(one) })),
  )
  const shuffled = fc
    .array(point, { maxLength: 8 })
    .chain((points) =>
      fc.tuple(fc.constant(points), fc.shuffledSubarray(points, { minLength: points.length })),
    )

  test('does not depend on the order of its points', () => {
    fc.assert(
      fc.property(shuffled, ([points, others]) => {
        const [one, other] = [sumOf(...points), sumOf(...others)]
        expect([other.count, other.min, other.max]).toEqual([one.count, one.min, one.max])
        if (one.sum !== undefined) expect(other.sum).toBeCloseTo(one.sum, 6)
        for (const q of [0, 0.1, 0.5, 0.9, 1]) {
          const value = one.quantile(q)
          if (value === undefined) expect(other.quantile(q)).toBeUndefined()
          else expect(other.quantile(q)).toBeCloseTo(value, 6)
        }
      }),
    )
  })
})
