import fc from 'fast-check'
import type { TelemetrySignal } from '../../../src/models/telemetry-signal.ts'
import { anyJson, anyText } from './arbitrary-json.ts'
import { NOW } from './decoding.ts'

/** A record as JSON has it: fast-check's own may lack a prototype. */
function recordOfShape<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(shape, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: digits, maxLength: digits })
const traceId = hex(32)
const spanId = hex(16)
const time = fc.bigInt({ min: NOW - 10n ** 15n, max: NOW + 10n ** 13n })
const anyTime = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const timeText = fc
  .integer({ min: -1_000_000, max: 60_000 })
  .map((s) => new Date(Number(NOW / 1_000_000n) + s * 1000).toISOString())
const attributes = fc.dictionary(anyText, anyJson, { maxKeys: 4, noNullPrototype: true })
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom('NaN', '-Infinity', '1.50', '77'),
)
const count = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.nat().map(String))
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const origin = {
  service: optional(fc.oneof(anyText, fc.constant('unknown_service'))),
  resource: optional(
    fc.oneof(
      attributes,
      recordOfShape({ attributes, schemaUrl: optional(anyText) }),
      recordOfShape({ 'service.name': anyJson }),
    ),
  ),
  scope: optional(
    recordOfShape({
      name: optional(anyText),
      version: optional(anyText),
      attributes: optional(attributes),
      schemaUrl: optional(anyText),
    }),
  ),
  attributes: optional(attributes),
  flags: optional(uint32),
  custom: optional(anyJson),
}

const span = recordOfShape({
  ...origin,
  traceId,
  spanId,
  parentSpanId: optional(fc.oneof(spanId, fc.constant(''))),
  name: anyText,
  kind: optional(fc.constantFrom(0, 1, '2', 'client', 'SPAN_KIND_PRODUCER')),
  startTime: fc.oneof(timeText, time),
  durationMs: optional(fc.double({ min: 0, max: 1e9, noNaN: true })),
  status: optional(
    fc.oneof(
      fc.constantFrom('ok', 2, 'ERROR'),
      recordOfShape({ code: fc.constantFrom(0, 'error'), message: optional(anyText) }),
    ),
  ),
  traceState: optional(anyText),
  events: optional(
    fc.array(
      recordOfShape({ name: anyText, timeUnixNano: optional(anyTime), attributes: optional(attributes) }),
      { maxLength: 3 },
    ),
  ),
  links: optional(
    fc.array(
      recordOfShape({
        traceId,
        spanId,
        traceState: optional(anyText),
        flags: optional(uint32),
        attributes: optional(attributes),
      }),
      { maxLength: 3 },
    ),
  ),
})

const logRecord = recordOfShape({
  ...origin,
  time: optional(fc.oneof(timeText, time)),
  observedTimeUnixNano: optional(time),
  severityNumber: optional(fc.integer({ min: 0, max: 24 })),
  severityText: optional(fc.oneof(anyText, fc.constantFrom('warn', '3', '70'))),
  level: optional(fc.oneof(anyText, fc.constantFrom('info', 30, 3, 99, '50'))),
  body: optional(anyJson),
  message: optional(anyJson),
  eventName: optional(anyText),
  traceId: optional(fc.oneof(traceId, fc.constant(''))),
  spanId: optional(spanId),
})

const buckets = recordOfShape({ offset: fc.integer(), bucketCounts: fc.array(count, { maxLength: 4 }) })
const statistics = { count, sum: optional(number), min: optional(number), max: optional(number) }
const histogram = fc
  .uniqueArray(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((bound) => bound + 0),
    { maxLength: 4 },
  )
  .chain((bounds) =>
    recordOfShape({
      type: fc.constant('histogram'),
      ...statistics,
      explicitBounds: fc.constant(bounds.toSorted((a, b) => a - b)),
      bucketCounts: fc.array(count, { minLength: bounds.length + 1, maxLength: bounds.length + 1 }),
    }),
  )
const measurement = fc.oneof(
  recordOfShape({
    type: fc.constantFrom('gauge', 'counter', 'updowncounter', 'sum'),
    value: number,
    isMonotonic: optional(fc.boolean()),
  }),
  histogram,
  recordOfShape({
    type: fc.constant('exponentialHistogram'),
    ...statistics,
    scale: optional(fc.integer({ min: -10, max: 20 })),
    zeroCount: optional(count),
    zeroThreshold: optional(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
    positive: optional(buckets),
    negative: optional(buckets),
  }),
  recordOfShape({
    type: fc.constant('summary'),
    count,
    sum: optional(number),
    quantiles: optional(
      fc.array(recordOfShape({ quantile: fc.double({ min: 0, max: 1, noNaN: true }), value: number }), {
        maxLength: 3,
      }),
    ),
  }),
)
const dataPoint = fc
  .tuple(
    measurement,
    recordOfShape({
      ...origin,
      name: fc.oneof(fc.constant('m'), anyText),
      unit: optional(anyText),
      description: optional(anyText),
      temporality: optional(fc.constantFrom('delta', 'cumulative', 1, 2)),
      time: fc.oneof(timeText, time),
      startTimeUnixNano: optional(anyTime),
      exemplars: optional(
        fc.array(
          recordOfShape({
            timeUnixNano: optional(anyTime),
            value: optional(number),
            traceId: optional(traceId),
            filteredAttributes: optional(attributes),
          }),
          { maxLength: 2 },
        ),
      ),
    }),
  )
  .map(([measured, point]) => ({ ...point, ...measured }))

/** Loose records that are mostly accepted, of each signal, in all the forms a field may take. */
export const LOOSE_RECORDS: Record<TelemetrySignal, fc.Arbitrary<object>> = {
  traces: span,
  logs: logRecord,
  metrics: dataPoint,
}
