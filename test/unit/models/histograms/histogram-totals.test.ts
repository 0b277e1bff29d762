import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { HistogramPoint } from '../../../../src/models/histograms/histogram-point.ts'
import { HistogramSum } from '../../../../src/models/histograms/histogram-sum.ts'
import { bounds, explicitPoint, exponentialPoint, measurements, scale } from './measurements.ts'

const point = fc
  .tuple(measurements, fc.oneof(bounds, scale))
  .map(([list, buckets]) =>
    typeof buckets === 'number' ? exponentialPoint(list, buckets) : explicitPoint(list, buckets),
  )

function sumOf(points: readonly HistogramPoint[]): HistogramSum {
  const sum = new HistogramSum()
  for (const each of points) sum.add(each)
  return sum
}

/** As it is kept: through JSON. */
function merged(...sums: readonly HistogramSum[]): HistogramSum {
  const all = new HistogramSum()
  for (const { totals } of sums) all.merge(JSON.parse(JSON.stringify(totals)))
  return all
}

test('sums, merged, are the sum of all points', () => {
  fc.assert(
    fc.property(fc.array(point, { maxLength: 6 }), fc.nat(6), (points, at) => {
      const all = sumOf(points)
      const parts = merged(sumOf(points.slice(0, at)), sumOf(points.slice(at)))
      expect([parts.count, parts.min, parts.max]).toEqual([all.count, all.min, all.max])
      expect(parts.sum ?? 0).toBeCloseTo(all.sum ?? 0, 6)
      for (const q of [0, 0.1, 0.5, 0.9, 1])
        expect(parts.quantile(q) ?? -1).toBeCloseTo(all.quantile(q) ?? -1, 9)
    }),
  )
})

test('a sum with more lists of bounds than are held makes the one it is merged into so', () => {
  const many = Array.from({ length: 1000 }, (_, index) => ({
    count: 2,
    explicit: { bounds: [index, index + 1], counts: [1, 1, 0] },
  }))
  const few = sumOf(many.slice(0, 1))
  expect(few.quantile(0.5)).toBeDefined()
  const parts = merged(few, sumOf(many))
  expect([parts.count, parts.quantile(0.5)]).toEqual([2002, undefined])
  // Together too many, each of them not.
  expect(merged(sumOf(many.slice(0, 500)), sumOf(many.slice(500))).quantile(0.5)).toBeUndefined()
})
