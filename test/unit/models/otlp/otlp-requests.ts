import fc from 'fast-check'
import type { TelemetrySignal } from '../../../../src/models/telemetry-signal.ts'
import { NOW } from '../decoding.ts'

/*
 * Any export request, as OTLP's JSON writes it: 64-bit integers as text, ids in hex, of a oneof one member. Of two members of the same
 * key no two, for what comes of them is compared.
 */
const hex = (digits: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits })
    .map((codes) => codes.map((code) => code.toString(16)).join(''))
    .map((id) => (/^0+$/.test(id) ? `1${id.slice(1)}` : id))
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
const count = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String)
const time = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }).map((offset) => String(NOW + offset))
const double = fc.double({ noNaN: true, noDefaultInfinity: true })

const { anyValue } = fc.letrec<{ anyValue: object }>((tie) => ({
  anyValue: fc.oneof(
    { depthSize: 'small' },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: int64 }),
    fc.record({ doubleValue: double }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 6 }).map((b) => Buffer.from(b).toString('base64')) }),
    fc.constant({}),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('anyValue'), { maxLength: 3 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: keyValues(tie('anyValue')) }) }),
  ),
}))

function keyValues(value: fc.Arbitrary<object>) {
  return fc.uniqueArray(fc.record({ key: text, value }), { selector: ({ key }) => key, maxLength: 4 })
}
const attributes = keyValues(anyValue)
/** Some of the fields. */
const some = (
  fields: Record<string, fc.Arbitrary<unknown>>,
  always: Record<string, fc.Arbitrary<unknown>> = {},
) => fc.record({ ...fields, ...always }, { requiredKeys: Object.keys(always) }) as fc.Arbitrary<object>

const resource = some({ attributes })
const scope = some({ name: text, version: text, attributes })

const event = some({ timeUnixNano: time, name: text, attributes, droppedAttributesCount: uint32 })
const link = some(
  { traceState: text, attributes, droppedAttributesCount: uint32, flags: uint32 },
  { traceId: hex(32), spanId: hex(16) },
)
const span = some(
  {
    traceState: text,
    parentSpanId: hex(16),
    name: text,
    kind: fc.integer({ min: 0, max: 5 }),
    attributes,
    droppedAttributesCount: uint32,
    events: fc.array(event, { maxLength: 2 }),
    droppedEventsCount: uint32,
    links: fc.array(link, { maxLength: 2 }),
    droppedLinksCount: uint32,
    status: some({ message: text, code: fc.integer({ min: 0, max: 2 }) }),
    flags: uint32,
  },
  { traceId: hex(32), spanId: hex(16), startTimeUnixNano: time },
)
const logRecord = some({
  timeUnixNano: time,
  observedTimeUnixNano: time,
  severityNumber: fc.integer({ min: 0, max: 24 }),
  severityText: text,
  body: anyValue,
  attributes,
  droppedAttributesCount: uint32,
  flags: uint32,
  traceId: hex(32),
  spanId: hex(16),
  eventName: text,
})

const number = fc.oneof(fc.record({ asDouble: double }), fc.record({ asInt: int64 }))
const exemplar = fc
  .tuple(
    some({ filteredAttributes: attributes, timeUnixNano: time, traceId: hex(32), spanId: hex(16) }),
    number,
  )
  .map(([fields, value]) => ({ ...fields, ...value }))
const pointFields = { attributes, startTimeUnixNano: time, exemplars: fc.array(exemplar, { maxLength: 2 }) }
const numberPoint = fc
  .tuple(some(pointFields, { timeUnixNano: time }), number)
  .map(([fields, value]) => ({ ...fields, ...value }))
const statistics = { count, sum: double, min: double, max: double }
const histogramPoint = fc
  .tuple(
    some({ ...pointFields, ...statistics }, { timeUnixNano: time }),
    fc.uniqueArray(double, { maxLength: 4, comparator: (a, b) => a === b || (a === 0 && b === 0) }),
    fc.array(count, { minLength: 5, maxLength: 5 }),
  )
  .map(([fields, bounds, counts]) => ({
    ...fields,
    explicitBounds: bounds.sort((a, b) => a - b),
    bucketCounts: counts.slice(0, bounds.length + 1),
  }))
const buckets = some({
  offset: fc.integer({ min: -1000, max: 1000 }),
  bucketCounts: fc.array(count, { maxLength: 3 }),
})
const exponentialPoint = some(
  {
    ...pointFields,
    ...statistics,
    scale: fc.integer({ min: -10, max: 20 }),
    zeroCount: count,
    positive: buckets,
    negative: buckets,
  },
  { timeUnixNano: time },
)
const quantileValue = some({ quantile: fc.double({ min: 0, max: 1, noNaN: true }), value: double })
const summaryPoint = some(
  {
    attributes,
    startTimeUnixNano: time,
    count,
    sum: double,
    quantileValues: fc.array(quantileValue, { maxLength: 2 }),
  },
  { timeUnixNano: time },
)
const points = (point: fc.Arbitrary<object>, more: Record<string, fc.Arbitrary<unknown>> = {}) =>
  some(more, { dataPoints: fc.array(point, { maxLength: 3 }) })
const temporality = { aggregationTemporality: fc.integer({ min: 0, max: 2 }) }
const metric = fc
  .tuple(
    some({ description: text, unit: text }, { name: fc.string({ minLength: 1, maxLength: 8 }) }),
    fc.oneof(
      fc.record({ gauge: points(numberPoint) }),
      fc.record({ sum: points(numberPoint, { ...temporality, isMonotonic: fc.boolean() }) }),
      fc.record({ histogram: points(histogramPoint, temporality) }),
      fc.record({ exponentialHistogram: points(exponentialPoint, temporality) }),
      fc.record({ summary: points(summaryPoint) }),
    ),
  )
  .map(([fields, data]) => ({ ...fields, ...data }))

const request = (resources: string, scopes: string, records: string, record: fc.Arbitrary<object>) => {
  const scopeGroup = some({ scope, schemaUrl: text, [records]: fc.array(record, { maxLength: 3 }) })
  const resourceGroup = some({ resource, schemaUrl: text, [scopes]: fc.array(scopeGroup, { maxLength: 2 }) })
  return some({ [resources]: fc.array(resourceGroup, { maxLength: 2 }) })
}

export const OTLP_REQUESTS: Readonly<Record<TelemetrySignal, fc.Arbitrary<object>>> = {
  traces: request('resourceSpans', 'scopeSpans', 'spans', span),
  metrics: request('resourceMetrics', 'scopeMetrics', 'metrics', metric),
  logs: request('resourceLogs', 'scopeLogs', 'logRecords', logRecord),
}
