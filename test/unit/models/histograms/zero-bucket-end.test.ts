import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { zeroBucketEnd } from '../../../../src/models/histograms/zero-bucket-end.ts'

const scale = fc.integer({ min: -4, max: 8 })

describe('the end of the zero bucket', () => {
  test('is the bucket that begins at the threshold, also where that is a digit short of the bound', () => {
    fc.assert(
      fc.property(scale, fc.integer({ min: -250, max: 250 }), (scale, index) => {
        fc.pre(Math.abs(index) / 2 ** scale < 1000)
        const bound = 2 ** (index / 2 ** scale)
        expect(zeroBucketEnd(bound, scale)).toBe(index)
        expect(zeroBucketEnd(bound * (1 - 2 ** -52), scale)).toBe(index)
      }),
    )
  })

  test('is the bucket that the threshold is in', () => {
    expect(zeroBucketEnd(3, 0)).toBe(1)
    expect(zeroBucketEnd(0.3, 0)).toBe(-2)
  })

  test('is before all buckets where the threshold is 0', () => {
    expect(zeroBucketEnd(0, 3)).toBe(-Infinity)
  })
})
