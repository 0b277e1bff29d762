import { describe, expect, test } from 'vitest'
import { decodeDataPoint } from '../../../src/models/decode-data-point.ts'
import { MAX_BUCKETS } from '../../../src/models/decode-measurement.ts'
import { contextWith, NOW, reasonOf, recordOf } from './decoding.ts'

const TIME = { timeUnixNano: String(NOW) }
const GAUGE = { name: 'queue.depth', type: 'gauge', value: 3, ...TIME }
const HISTOGRAM = {
  name: 'h',
  type: 'histogram',
  count: 3,
  explicitBounds: [1, 2],
  bucketCounts: [1, 1, 1],
  ...TIME,
}
const EXPONENTIAL = { name: 'e', type: 'exponentialHistogram', count: 3, ...TIME }
const SUMMARY = { name: 's', type: 'summary', count: 3, sum: 6, ...TIME }

const point = (fields: object, context = contextWith()) => recordOf(decodeDataPoint(fields, context))
const reason = (fields: object) => reasonOf(decodeDataPoint(fields, contextWith()))

describe('the value of a number point', () => {
  test.each([
    [1.5, 1.5],
    [-0, 0],
    ['1.5', 1.5],
    ['42', 42],
    ['9007199254740993', 9007199254740993n],
    [9007199254740993n, 9007199254740993n],
    [42n, 42],
    ['-9223372036854775808', -(2n ** 63n)],
    [1e18, 1_000_000_000_000_000_000n],
    [1e300, 1e300],
    [2n ** 70n, 2 ** 70],
    [9_223_372_036_903_682_000n, 9_223_372_036_903_682_000],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
    ['-Infinity', '-Infinity'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['1e400', 'Infinity'],
    ['5e-324', 5e-324],
  ])('%o is stored as %o', (value, expected) => {
    const { measurement } = point({ ...GAUGE, value })
    expect(measurement).toStrictEqual({ kind: 'number', value: expected })
  })

  test("may be OTLP's asInt or asDouble", () => {
    const { value: _value, ...none } = GAUGE
    expect(point({ ...none, asInt: '9007199254740993' }).measurement).toMatchObject({
      value: 9007199254740993n,
    })
    expect(point({ ...none, asDouble: 'NaN' }).measurement).toMatchObject({ value: 'NaN' })
  })

  test.each([
    [2n ** 63n + 1n, 'out_of_range'],
    [-(2n ** 64n) - 1n, 'out_of_range'],
    [10n ** 400n, 'out_of_range'],
    ['many', 'wrong_type'],
    ['0x10', 'wrong_type'],
    ['nan', 'wrong_type'],
    [' 1', 'wrong_type'],
    [true, 'wrong_type'],
    [[1], 'wrong_type'],
    [{}, 'wrong_type'],
  ])('is refused as %o', (value, expected) => {
    expect(reason({ ...GAUGE, value })).toBe(expected)
  })

  test('may be missing where flag bit 0 says that nothing was recorded', () => {
    const { value: _value, ...none } = GAUGE
    expect(point({ ...none, flags: 1 }).measurement).toStrictEqual({ kind: 'number', value: undefined })
    expect(point({ ...none, flags: 3 }).measurement).toMatchObject({ value: undefined })
    expect(reason({ ...none, flags: 2 })).toBe('missing_field')
  })
})

describe('a histogram', () => {
  test('keeps its counts, statistics and bounds', () => {
    const fields = { count: '3', sum: 4.5, min: '-Infinity', max: -0, bucketCounts: ['1', 1, 1n] }
    expect(point({ ...HISTOGRAM, ...fields }).measurement).toStrictEqual({
      kind: 'histogram',
      count: 3n,
      sum: 4.5,
      min: '-Infinity',
      max: 0,
      explicitBounds: [1, 2],
      bucketCounts: [1n, 1n, 1n],
    })
  })

  test('may have no buckets, or one without bounds', () => {
    const { explicitBounds: _bounds, bucketCounts: _counts, ...bare } = HISTOGRAM
    expect(point(bare).measurement).toMatchObject({ explicitBounds: [], bucketCounts: [] })
    expect(reason({ ...bare, bucketCounts: [3] })).toBe('not refused')
  })

  test.each([
    [{ count: undefined }, 'missing_field'],
    [{ count: -1 }, 'out_of_range'],
    [{ count: 1.5 }, 'wrong_type'],
    [{ count: '9223372036854775808' }, 'out_of_range'],
    [{ bucketCounts: [1, 1] }, 'out_of_range'],
    [{ bucketCounts: [1, 1, 1, 1] }, 'out_of_range'],
    [{ bucketCounts: [] }, 'out_of_range'],
    [{ bucketCounts: [1, -1, 1] }, 'out_of_range'],
    [{ bucketCounts: [1, null, 1] }, 'wrong_type'],
    [{ bucketCounts: ['', 1, 1] }, 'wrong_type'],
    [{ bucketCounts: 3 }, 'wrong_type'],
    [{ explicitBounds: [2, 1] }, 'out_of_range'],
    [{ explicitBounds: [1, 1] }, 'out_of_range'],
    [{ explicitBounds: [1, 'Infinity'] }, 'out_of_range'],
    [{ explicitBounds: ['NaN', 1] }, 'out_of_range'],
    [{ explicitBounds: [1, null] }, 'out_of_range'],
    [{ explicitBounds: [1, 'x'] }, 'wrong_type'],
    [{ sum: 'x' }, 'wrong_type'],
    [{ bucketCounts: Array(MAX_BUCKETS + 1).fill(0) }, 'too_large'],
  ])('is refused with %o', (fields, expected) => {
    expect(reason({ ...HISTOGRAM, ...fields })).toBe(expected)
  })

  test('may have no count where nothing was recorded', () => {
    expect(point({ name: 'h', type: 'histogram', flags: 1, ...TIME }).measurement).toMatchObject({
      count: 0n,
    })
  })
})

describe('an exponential histogram', () => {
  test('keeps its scale, zero bucket and both ranges', () => {
    const fields = {
      scale: -3,
      sum: 10,
      min: 0,
      max: 5,
      zeroCount: '1',
      zeroThreshold: 0.001,
      positive: { offset: -2, bucketCounts: ['1', '1'] },
      negative: { bucketCounts: [] },
    }
    expect(point({ ...EXPONENTIAL, ...fields }).measurement).toStrictEqual({
      kind: 'exponentialHistogram',
      count: 3n,
      sum: 10,
      min: 0,
      max: 5,
      scale: -3,
      zeroCount: 1n,
      zeroThreshold: 0.001,
      positive: { offset: -2, bucketCounts: [1n, 1n] },
      negative: { offset: 0, bucketCounts: [] },
    })
  })

  test('needs only a count', () => {
    expect(point(EXPONENTIAL).measurement).toMatchObject({ scale: 0, zeroCount: 0n, positive: undefined })
  })

  test.each([
    [{ count: undefined }, 'missing_field'],
    [{ scale: 2 ** 31 }, 'out_of_range'],
    [{ scale: 'x' }, 'wrong_type'],
    [{ zeroCount: -1 }, 'out_of_range'],
    [{ zeroThreshold: -1 }, 'out_of_range'],
    [{ zeroThreshold: 'Infinity' }, 'out_of_range'],
    [{ zeroThreshold: 'NaN' }, 'out_of_range'],
    [{ positive: [] }, 'wrong_type'],
    [{ positive: { offset: 1.5 } }, 'wrong_type'],
    [{ positive: { offset: -(2 ** 31) - 1 } }, 'out_of_range'],
    [{ negative: { bucketCounts: [-1] } }, 'out_of_range'],
    [{ negative: { bucketCounts: Array(MAX_BUCKETS + 1).fill(1) } }, 'too_large'],
  ])('is refused with %o', (fields, expected) => {
    expect(reason({ ...EXPONENTIAL, ...fields })).toBe(expected)
  })
})

describe('a summary', () => {
  test('keeps its quantiles, under either name', () => {
    const quantiles = [
      { quantile: 0, value: 1 },
      { quantile: '0.5', value: 'NaN' },
      { quantile: 1, value: 9 },
    ]
    const expected = {
      kind: 'summary',
      count: 3n,
      sum: 6,
      quantiles: [
        { quantile: 0, value: 1 },
        { quantile: 0.5, value: 'NaN' },
        { quantile: 1, value: 9 },
      ],
    }
    expect(point({ ...SUMMARY, quantiles }).measurement).toStrictEqual(expected)
    expect(point({ ...SUMMARY, quantileValues: quantiles }).measurement).toStrictEqual(expected)
  })

  test.each([
    [{ count: undefined }, 'missing_field'],
    [{ quantiles: [{ quantile: 1.01, value: 1 }] }, 'out_of_range'],
    [{ quantiles: [{ quantile: -0.1, value: 1 }] }, 'out_of_range'],
    [{ quantiles: [{ quantile: 'NaN', value: 1 }] }, 'out_of_range'],
    [{ quantiles: [{ quantile: 0.5, value: 'x' }] }, 'wrong_type'],
    [{ quantiles: [0.5] }, 'wrong_type'],
    [{ quantiles: { 0.5: 1 } }, 'wrong_type'],
    [{ quantiles: Array(MAX_BUCKETS + 1).fill({ quantile: 0.5, value: 1 }) }, 'too_large'],
  ])('is refused with %o', (fields, expected) => {
    expect(reason({ ...SUMMARY, ...fields })).toBe(expected)
  })
})
