import { describe, expect, test } from 'vitest'
import { decodeDataPoint } from '../../../src/models/decode-data-point.ts'
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

describe('a metric definition in normal form', () => {
  const metric = (fields: object) => point({ ...GAUGE, ...fields }).metric

  test.each([
    ['gauge', 'gauge'],
    ['Gauge', 'gauge'],
    ['COUNTER', 'counter'],
    ['updowncounter', 'updowncounter'],
    ['upDownCounter', 'updowncounter'],
    ['up_down_counter', 'updowncounter'],
    ['up-down-counter', 'updowncounter'],
  ])('knows the type %s as %s', (type, expected) => {
    expect(metric({ type }).type).toBe(expected)
  })

  test.each([
    ['exponentialHistogram', EXPONENTIAL],
    ['exponentialhistogram', EXPONENTIAL],
    ['EXPONENTIAL_HISTOGRAM', EXPONENTIAL],
    ['Histogram', HISTOGRAM],
    ['Summary', SUMMARY],
  ])('knows the type %s', (type, fields) => {
    expect(point({ ...fields, type }).metric.type).toBe(fields.type)
  })

  test.each(['timer', '', 5, {}, '__proto__', null])('does not know the type %o', (type) => {
    expect(['wrong_type', 'missing_field']).toContain(reason({ ...GAUGE, type }))
  })

  test("takes OTLP's sum for a counter when it is monotonic, else for an up-down counter", () => {
    expect(metric({ type: 'sum', isMonotonic: true })).toMatchObject({ type: 'counter', isMonotonic: true })
    expect(metric({ type: 'sum', isMonotonic: 'true' }).type).toBe('counter')
    expect(metric({ type: 'sum', isMonotonic: false })).toMatchObject({
      type: 'updowncounter',
      isMonotonic: false,
    })
    expect(metric({ type: 'sum' }).type).toBe('updowncounter')
  })

  test('says whether it is monotonic by its type alone', () => {
    expect(metric({ type: 'counter', isMonotonic: false }).isMonotonic).toBe(true)
    expect(metric({ type: 'updowncounter', isMonotonic: true }).isMonotonic).toBe(false)
    expect(metric({ type: 'gauge', isMonotonic: true }).isMonotonic).toBeUndefined()
  })

  test.each([
    ['counter', { temporality: 'delta' }, 'delta'],
    ['counter', { temporality: 'CUMULATIVE' }, 'cumulative'],
    ['counter', { aggregationTemporality: 1 }, 'delta'],
    ['counter', { aggregationTemporality: '2' }, 'cumulative'],
    ['counter', { aggregationTemporality: 'AGGREGATION_TEMPORALITY_DELTA' }, 'delta'],
    ['counter', { temporality: 'delta', aggregationTemporality: 2 }, 'delta'],
    ['counter', { temporality: 0 }, 'cumulative'],
    ['counter', {}, 'cumulative'],
    ['updowncounter', {}, 'cumulative'],
    ['gauge', { temporality: 'delta' }, undefined],
  ])('of a %s with %o has the temporality %s', (type, fields, expected) => {
    expect(metric({ type, ...fields }).temporality).toBe(expected)
  })

  test('has a temporality for histograms and none for summaries', () => {
    expect(point(HISTOGRAM).metric.temporality).toBe('cumulative')
    expect(point({ ...EXPONENTIAL, temporality: 1 }).metric.temporality).toBe('delta')
    expect(point({ ...SUMMARY, temporality: 1 }).metric.temporality).toBeUndefined()
  })

  test('takes an empty unit and description for none', () => {
    expect(metric({ unit: '', description: '' })).toMatchObject({ unit: undefined, description: undefined })
  })
})
