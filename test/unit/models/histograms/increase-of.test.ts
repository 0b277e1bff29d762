import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HistogramPoint } from '../../../../src/models/histograms/histogram-point.ts'
import { HistogramSum } from '../../../../src/models/histograms/histogram-sum.ts'
import { increaseOf } from '../../../../src/models/histograms/increase-of.ts'
import {
  bounds,
  contentOf,
  explicitPoint,
  exponentialBucket,
  exponentialPoint,
  FINEST,
  type Measurement,
  measurements,
  scale,
  someMeasurements,
  trueQuantile,
} from './measurements.ts'

const explicit: HistogramPoint = {
  count: 6,
  sum: 9,
  min: 0.1,
  max: 7,
  explicit: { bounds: [1, 5], counts: [3, 2, 1] },
}
const exponential: HistogramPoint = {
  count: 7,
  sum: 12,
  exponential: {
    scale: 1,
    zeroCount: 1,
    zeroThreshold: 0,
    positive: { offset: 0, counts: [1, 2, 3] },
    negative: { offset: 0, counts: [] },
  },
}

describe('the increase of a cumulative histogram', () => {
  test('is the whole first point, with its minimum and maximum', () => {
    expect(increaseOf(explicit, undefined)).toBe(explicit)
  })

  test('is the difference of count, sum and buckets, without minimum and maximum', () => {
    const later = { count: 9, sum: 30, min: 0.1, max: 20, explicit: { bounds: [1, 5], counts: [3, 3, 3] } }
    expect(increaseOf(later, explicit)).toEqual({
      count: 3,
      sum: 21,
      explicit: { bounds: [1, 5], counts: [0, 1, 2] },
    })
  })

  test('has no sum where one of the two points has none', () => {
    const { sum: _, ...sumless } = explicit
    expect(increaseOf(explicit, sumless).sum).toBeUndefined()
    expect(increaseOf(sumless, explicit).sum).toBeUndefined()
  })

  test('is known of count and sum alone', () => {
    expect(increaseOf({ count: 5, sum: 8 }, { count: 3, sum: 6 })).toEqual({ count: 2, sum: 2 })
  })

  test.each<[string, HistogramPoint, HistogramPoint]>([
    ['the count is smaller', { ...explicit, count: 5 }, explicit],
    [
      'an explicit bucket is smaller',
      { ...explicit, count: 9, explicit: { bounds: [1, 5], counts: [2, 6, 1] } },
      explicit,
    ],
    ['a bound is another', { ...explicit, explicit: { bounds: [1, 6], counts: [3, 2, 1] } }, explicit],
    [
      'there are more bounds',
      { ...explicit, explicit: { bounds: [1, 5, 6], counts: [3, 2, 1, 0] } },
      explicit,
    ],
    ['the buckets are of another kind', { ...exponential, count: 9 }, explicit],
    ['there were no buckets', explicit, { count: 1 }],
    [
      'an exponential bucket is smaller',
      withExponential({ positive: { offset: 0, counts: [9, 1, 3] } }),
      exponential,
    ],
    [
      'an exponential bucket is gone',
      withExponential({ positive: { offset: 1, counts: [9, 9] } }),
      exponential,
    ],
    ['the zero bucket is smaller', withExponential({ zeroCount: 0 }), exponential],
  ])('is the whole point where %s', (_, point, previous) => {
    expect(increaseOf(point, previous)).toBe(point)
  })

  test('is what was measured in between, whichever of the scales is lower', () => {
    fc.assert(
      fc.property(measurements, measurements, scale, scale, (first, second, before, after) => {
        const previous = exponentialPoint(first, before)
        const increase = increaseOf(exponentialPoint([...first, ...second], after), previous)
        const isBlank = first.every(({ sign }) => sign === 0)
        const expected = exponentialPoint(second, isBlank ? after : Math.min(before, after))
        expect(contentOf(increase)).toEqual(contentOf(expected))
      }),
    )
  })

  test('is compared at the larger zero threshold', () => {
    const first = withExponential({ zeroCount: 1, positive: { offset: -4, counts: [2, 1, 0, 0, 5] } })
    const later = withExponential({
      zeroCount: 6,
      zeroThreshold: 0.5,
      positive: { offset: 0, counts: [5, 1] },
    })
    expect(increaseOf({ ...later, count: 12 }, { ...first, count: 9 })).toMatchObject({
      count: 3,
      exponential: { zeroCount: 2, zeroThreshold: 0.5, positive: { offset: 0, counts: [0, 1] } },
    })
  })

  test('leaves both points as they were', () => {
    const before = structuredClone(exponential)
    increaseOf(
      withExponential({ scale: 0, zeroThreshold: 1, positive: { offset: 0, counts: [3, 9] } }),
      exponential,
    )
    increaseOf(withExponential({ positive: { offset: 0, counts: [3, 3, 3] } }), exponential)
    expect(exponential).toEqual(before)
  })
})

describe('the increases of a series', () => {
  /** A segment begins with a reset: measurements since then, as they came between two points, each with its point's scale. */
  const segments = fc.array(fc.array(fc.tuple(someMeasurements, scale), { minLength: 1, maxLength: 6 }), {
    maxLength: 4,
  })

  test('add up to all that was measured, across resets that lose measurements', () => {
    fc.assert(
      fc.property(segments, (series) => {
        const { points, all } = cumulative(series, (list, scale) => exponentialPoint(list, scale))
        const sum = expectSum(points, exponentialPoint(all, FINEST))
        // 20 octaves are held at scale 3 at most.
        const lowest = Math.min(3, ...series.flat().map(([, scale]) => scale))
        for (const q of all.length === 0 ? [] : [0, 0.3, 0.5, 0.9, 1]) {
          const [lower, upper] = exponentialBucket(trueQuantile(all, q), lowest)
          expect(sum.quantile(q)).toBeGreaterThanOrEqual(lower - Math.abs(lower) * 1e-12)
          expect(sum.quantile(q)).toBeLessThanOrEqual(upper + Math.abs(upper) * 1e-12)
        }
      }),
    )
  })

  test('add up to all that was measured in explicit buckets', () => {
    fc.assert(
      fc.property(segments, bounds, (series, bounds) => {
        const { points, all } = cumulative(series, (list) => explicitPoint(list, bounds))
        const sum = expectSum(points, explicitPoint(all, bounds))
        const direct = new HistogramSum()
        direct.add(explicitPoint(all, bounds))
        for (const q of [0, 0.3, 0.5, 0.9, 1]) expect(sum.quantile(q)).toBe(direct.quantile(q))
      }),
    )
  })

  /** Only resets that can be seen: the first point after one has a smaller count than the last one before, or is told by its start time. */
  function cumulative(
    series: readonly (readonly (readonly [readonly Measurement[], number])[])[],
    pointOf: (list: readonly Measurement[], scale: number) => HistogramPoint,
  ) {
    const points: { readonly point: HistogramPoint; readonly isFirst: boolean }[] = []
    const all: Measurement[] = []
    let last = 0
    for (const segment of series) {
      const since: Measurement[] = []
      for (const [at, [fresh, scale]] of segment.entries()) {
        since.push(...fresh)
        all.push(...fresh)
        points.push({ point: pointOf(since, scale), isFirst: at === 0 && since.length >= last })
      }
      last = since.length
    }
    return { points, all }
  }

  function expectSum(
    points: readonly { readonly point: HistogramPoint; readonly isFirst: boolean }[],
    expected: HistogramPoint,
  ): HistogramSum {
    const sum = new HistogramSum()
    for (const [at, { point, isFirst }] of points.entries()) {
      sum.add(increaseOf(point, isFirst ? undefined : points[at - 1]?.point))
    }
    expect(sum.count).toBe(expected.count)
    if (expected.count > 0) expect(sum.sum).toBeCloseTo(expected.sum!, 6)
    return sum
  }
})

function withExponential(change: Partial<NonNullable<HistogramPoint['exponential']>>): HistogramPoint {
  return { count: 99, sum: 99, exponential: { ...exponential.exponential!, ...change } }
}
