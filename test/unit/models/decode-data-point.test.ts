import { describe, expect, test } from 'vitest'
import { decodeDataPoint } from '../../../src/models/decode-data-point.ts'
import { contextWith, LIMITS, NOW, reasonOf, recordOf, SPAN_ID, TRACE_ID } from './decoding.ts'

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
const SUMMARY = { name: 's', type: 'summary', count: 3, sum: 6, ...TIME }

const point = (fields: object, context = contextWith()) => recordOf(decodeDataPoint(fields, context))
const reason = (fields: object) => reasonOf(decodeDataPoint(fields, contextWith()))

describe('a data point', () => {
  test('of a gauge needs a name, a type, a time and a value', () => {
    expect(point(GAUGE)).toStrictEqual({
      metric: {
        name: 'queue.depth',
        type: 'gauge',
        unit: undefined,
        description: undefined,
        temporality: undefined,
        isMonotonic: undefined,
      },
      timeUnixNano: NOW,
      startTimeUnixNano: undefined,
      flags: undefined,
      measurement: { kind: 'number', value: 3 },
      exemplars: [],
      attributes: {},
      service: 'unknown_service',
      resource: { attributes: {}, schemaUrl: undefined },
      scope: { name: undefined, version: undefined, attributes: {}, schemaUrl: undefined },
    })
  })

  test.each(['name', 'type', 'timeUnixNano', 'value'])('is refused without %s', (field) => {
    expect(reason({ ...GAUGE, [field]: undefined })).toBe('missing_field')
    expect(reason({ ...GAUGE, [field]: '' })).toBe('missing_field')
  })

  test('typed as text is decoded from the flat form', () => {
    const fields = {
      name: 'h',
      type: 'histogram',
      time: '2026-11-23 09:00:00',
      count: '3',
      sum: '4.5',
      explicitBounds: '[1,2]',
      bucketCounts: '["1",1,1]',
      temporality: 'delta',
      model: 'm',
    }
    expect(point(fields, contextWith({ flat: true }))).toMatchObject({
      metric: { type: 'histogram', temporality: 'delta' },
      timeUnixNano: NOW,
      measurement: { count: 3n, sum: 4.5, explicitBounds: [1, 2], bucketCounts: [1n, 1n, 1n] },
      attributes: { model: 'm' },
    })
  })

  test.each([
    [{ time: 'soon', timeUnixNano: undefined }, 'bad_time'],
    [{ timeUnixNano: LIMITS.earliest - 1n }, 'time_out_of_window'],
    [{ startTimeUnixNano: 'soon' }, 'bad_time'],
    [{ flags: -1 }, 'out_of_range'],
    [{ name: 7 }, 'wrong_type'],
    [{ name: 'x'.repeat(1025) }, 'too_large'],
    [{ unit: 'x'.repeat(1025) }, 'too_large'],
    [{ description: 7 }, 'wrong_type'],
    [{ isMonotonic: 'maybe' }, 'wrong_type'],
    [{ temporality: 3 }, 'out_of_range'],
    [{ temporality: 'sometimes' }, 'wrong_type'],
    [{ attributes: 7 }, 'wrong_type'],
  ])('is refused with %o', (fields, expected) => {
    expect(reason({ ...GAUGE, ...fields })).toBe(expected)
  })

  test('keeps its start, where the epoch is none', () => {
    expect(point({ ...GAUGE, startTimeUnixNano: NOW - 1n }).startTimeUnixNano).toBe(NOW - 1n)
    expect(point({ ...GAUGE, startTime: '2026-11-23T08:59:59Z' }).startTimeUnixNano).toBe(
      NOW - 1_000_000_000n,
    )
    expect(point({ ...GAUGE, startTimeUnixNano: '0' }).startTimeUnixNano).toBeUndefined()
  })

  test('turns fields that its type does not have into attributes', () => {
    expect(point({ ...GAUGE, count: 5, scale: 1 }).attributes).toEqual({ count: 5, scale: 1 })
    expect(point({ ...HISTOGRAM, scale: 1 }).attributes).toEqual({ scale: 1 })
    expect(point({ ...SUMMARY, min: 1 }).attributes).toEqual({ min: 1 })
  })
})

describe('exemplars', () => {
  test('keep their fields, whatever of them is given', () => {
    const exemplars = [
      {
        timeUnixNano: String(NOW),
        asInt: '7',
        traceId: TRACE_ID.toUpperCase(),
        spanId: SPAN_ID,
        filteredAttributes: [{ key: 'a', value: { intValue: 1 } }],
      },
      { value: 0.5 },
    ]
    expect(point({ ...GAUGE, exemplars }).exemplars).toStrictEqual([
      { timeUnixNano: NOW, value: 7, traceId: TRACE_ID, spanId: SPAN_ID, filteredAttributes: { a: 1 } },
      { timeUnixNano: undefined, value: 0.5, traceId: undefined, spanId: undefined, filteredAttributes: {} },
    ])
  })

  test.each([
    [[{ traceId: 'x' }], 'bad_id'],
    [[{ value: 'x' }], 'wrong_type'],
    [['x'], 'wrong_type'],
    ['x', 'wrong_type'],
    [[{ time: 'x' }], 'bad_time'],
  ])('are refused as %o', (exemplars, expected) => {
    expect(reason({ ...GAUGE, exemplars })).toBe(expected)
  })
})
