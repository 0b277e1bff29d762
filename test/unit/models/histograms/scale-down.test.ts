import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { indexAtLowerScale, scaleDown } from '../../../../src/models/histograms/scale-down.ts'
import { contentOf, exponentialPoint, FINEST, measurements } from './measurements.ts'

describe('scaling down', () => {
  test('gives the buckets that would have been filled at the lower scale', () => {
    fc.assert(
      fc.property(measurements, fc.nat({ max: 8 }), (list, by) => {
        const fine = exponentialPoint(list, FINEST).exponential!
        const scaled = {
          ...fine,
          positive: scaleDown(fine.positive, by),
          negative: scaleDown(fine.negative, by),
        }
        const coarse = exponentialPoint(list, FINEST - by)
        expect(contentOf({ count: list.length, exponential: scaled })).toEqual(contentOf(coarse))
      }),
    )
  })

  test('shifts the index, below zero too', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 31 }), (index, by) => {
        expect(indexAtLowerScale(index, by) + 0).toBe(index >> by)
      }),
    )
    expect(indexAtLowerScale(2 ** 31 + 1, 1)).toBe(2 ** 30)
    expect(indexAtLowerScale(-1, 90)).toBe(-1)
  })
})
