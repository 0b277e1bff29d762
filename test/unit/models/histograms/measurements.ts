import fc from 'fast-check'
import type { Buckets, HistogramPoint } from '../../../../src/models/histograms/histogram-point.ts'

/*
 * The reference: measurements whose buckets are known without a logarithm. A measurement is an integer `at` on a grid of FINEST parts of
 * an octave: its value is 2^((at + 0.5) / 2^FINEST), in the middle of bucket `at` at that scale, on no bound of any lower one.
 */

export const FINEST = 6

export interface Measurement {
  readonly sign: -1 | 0 | 1
  readonly at: number
}

export function measuredValue({ sign, at }: Measurement): number {
  return sign === 0 ? 0 : sign * 2 ** ((at + 0.5) / 2 ** FINEST)
}

/** The bucket at a scale of at most FINEST: how many whole buckets there are between the value and 1. */
export function indexOf({ at }: Measurement, scale: number): number {
  return Math.floor((at + 0.5) / 2 ** (FINEST - scale))
}

/** From 2^-10 to 2^10, of both signs. */
export const measurement: fc.Arbitrary<Measurement> = fc.record({
  sign: fc.constantFrom(-1, 0, 1, 1, 1),
  at: fc.integer({ min: -10 * 2 ** FINEST, max: 10 * 2 ** FINEST - 1 }),
})

export const measurements = fc.array(measurement, { maxLength: 60 })
export const someMeasurements = fc.array(measurement, { minLength: 1, maxLength: 60 })
export const scale = fc.integer({ min: -2, max: FINEST })
/** Integers of JSON text's usual sizes, and halves: not among the values but for 0. */
export const bounds = fc
  .uniqueArray(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 12 })
  .map((list) => list.map((bound) => (Math.sign(bound) * bound ** 2) / 2).sort((a, b) => a - b))

export function exponentialPoint(list: readonly Measurement[], scale: number): HistogramPoint {
  return {
    ...totalsOf(list),
    exponential: {
      scale,
      zeroCount: list.filter(({ sign }) => sign === 0).length,
      zeroThreshold: 0,
      positive: bucketsOf(
        list.filter(({ sign }) => sign === 1),
        scale,
      ),
      negative: bucketsOf(
        list.filter(({ sign }) => sign === -1),
        scale,
      ),
    },
  }
}

export function explicitPoint(list: readonly Measurement[], bounds: readonly number[]): HistogramPoint {
  const counts = [...bounds, Infinity].map(
    (bound, at) =>
      list.filter((one) => measuredValue(one) <= bound && measuredValue(one) > (bounds[at - 1] ?? -Infinity))
        .length,
  )
  return { ...totalsOf(list), explicit: { bounds, counts } }
}

function totalsOf(list: readonly Measurement[]) {
  const values = list.map(measuredValue)
  if (values.length === 0) return { count: 0, sum: 0 }
  return {
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    min: Math.min(...values),
    max: Math.max(...values),
  }
}

function bucketsOf(list: readonly Measurement[], scale: number): Buckets {
  if (list.length === 0) return { offset: 0, counts: [] }
  const indexes = list.map((one) => indexOf(one, scale))
  const offset = Math.min(...indexes)
  const counts = new Array<number>(Math.max(...indexes) - offset + 1).fill(0)
  for (const index of indexes) counts[index - offset]! += 1
  return { offset, counts }
}

/** The measurement of which at least the share `q` is up to. */
export function trueQuantile(list: readonly Measurement[], q: number): Measurement {
  const sorted = list.toSorted((a, b) => measuredValue(a) - measuredValue(b))
  return sorted[Math.max(0, Math.ceil(q * list.length) - 1)]!
}

/** The bucket a measurement is in, as its lower and upper end. */
export function exponentialBucket(one: Measurement, scale: number): readonly [number, number] {
  if (one.sign === 0) return [0, 0]
  const index = indexOf(one, scale)
  const near = 2 ** (index / 2 ** scale)
  const far = 2 ** ((index + 1) / 2 ** scale)
  return one.sign === 1 ? [near, far] : [-far, -near]
}

export function explicitBucket(one: Measurement, bounds: readonly number[]): readonly [number, number] {
  const at = bounds.findIndex((bound) => measuredValue(one) <= bound)
  const upper = bounds[at] ?? bounds.at(-1)!
  if (at === 0) return [Math.min(0, upper), upper]
  return [at < 0 ? upper : bounds[at - 1]!, upper]
}

/** What a point says, apart from how: scale, offsets and empty buckets at the ends. */
export function contentOf(point: HistogramPoint) {
  const { exponential, explicit } = point
  return {
    count: point.count,
    explicit,
    zeroCount: exponential?.zeroCount,
    positive: filled(exponential?.positive),
    negative: filled(exponential?.negative),
  }
}

function filled(buckets: Buckets | undefined) {
  return buckets?.counts.flatMap((count, at) => (count === 0 ? [] : [[buckets.offset + at, count]]))
}
