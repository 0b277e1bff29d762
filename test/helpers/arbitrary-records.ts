import fc from 'fast-check'

/*
 * Random records of each signal as the API gives them back: full names and normal form. What is sent like this must be read
 * back just so; that shorthands lead to the same form is shown by the unit tests of the decoders.
 */

/** Well-formed text without NUL, from every plane of Unicode; what is longer than an index entry takes is refused elsewhere. */
const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .filter((value) => !value.includes('\0') && value.isWellFormed())
const word = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  .filter((value) => value.trim() === value)
/** Whole numbers past 2^53 are exact integers in normal form: those come from `wholeNumber`. */
const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value))
  .map((value) => (value === 0 ? 0 : value))
const wholeNumber = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 10n ** 30n }),
  fc.constant(-(2n ** 63n)),
)
const nonFinite = fc.constantFrom('NaN', 'Infinity', '-Infinity')

const { value: attributeValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'attribute' },
    text,
    double,
    wholeNumber,
    fc.boolean(),
    fc.constant(null),
    nonFinite,
    fc.base64String({ maxLength: 12 }).map((bytesValue) => ({ bytesValue })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  ),
}))
const attributes = fc.dictionary(text, attributeValue, { maxKeys: 6 })

const hex = (digits: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
    .filter((id) => /[1-9a-f]/.test(id))
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const count = fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }))
const bucketCounts = (length: number) => fc.array(fc.nat(), { minLength: length, maxLength: length })

/** Within the last hour, to the nanosecond. */
const recentNano = fc
  .bigInt({ min: 0n, max: 3_600_000_000_000n })
  .map((ago) => BigInt(Date.now()) * 1_000_000n - ago)
const anyNano = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String)

type Shape = Record<string, fc.Arbitrary<unknown>>
/** Required fields, and optional ones that may be absent. */
const shape = (required: Shape, optional: Shape = {}) =>
  fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) })

/** In OTLP an empty name, version or schema URL is an absent one. */
const filled = text.filter((value) => value !== '')
const scope = shape({ attributes }, { name: filled, version: filled, schemaUrl: filled })
/** The test names the service, here and as the attribute `service.name`. */
const origin = { resource: shape({ attributes }, { schemaUrl: filled }), scope }

export function arbitrarySpan(): fc.Arbitrary<Record<string, unknown>> {
  const event = shape({ timeUnixNano: anyNano, name: word, attributes }, { droppedAttributesCount: uint32 })
  const link = shape(
    { traceId: hex(32), spanId: hex(16), attributes },
    { traceState: word, flags: uint32, droppedAttributesCount: uint32 },
  )
  return fc
    .tuple(
      recentNano,
      fc.option(fc.bigInt({ min: 0n, max: 10n ** 12n }), { nil: undefined }),
      shape(
        {
          traceId: hex(32),
          spanId: hex(16),
          name: text,
          kind: fc.constantFrom('unspecified', 'internal', 'server', 'client', 'producer', 'consumer'),
          status: shape({ code: fc.constantFrom('unset', 'ok', 'error') }, { message: word }),
          attributes,
          events: fc.array(event, { maxLength: 3 }),
          links: fc.array(link, { maxLength: 2 }),
          ...origin,
        },
        {
          parentSpanId: hex(16),
          traceState: word,
          flags: uint32,
          droppedAttributesCount: uint32,
          droppedEventsCount: uint32,
          droppedLinksCount: uint32,
        },
      ),
    )
    .map(([start, duration, span]) => ({
      ...span,
      startTimeUnixNano: String(start),
      ...(duration !== undefined && { endTimeUnixNano: String(start + duration) }),
    }))
}

export function arbitraryLogRecord(): fc.Arbitrary<Record<string, unknown>> {
  return shape(
    { timeUnixNano: recentNano.map(String), attributes, ...origin },
    {
      observedTimeUnixNano: anyNano,
      severityNumber: fc.integer({ min: 1, max: 24 }),
      severityText: word,
      body: attributeValue.filter((body) => body !== null),
      eventName: word,
      traceId: hex(32),
      spanId: hex(16),
      flags: uint32,
      droppedAttributesCount: uint32,
    },
  )
}

export function arbitraryDataPoint(name: string): fc.Arbitrary<Record<string, unknown>> {
  const exemplar = shape(
    { filteredAttributes: attributes },
    { timeUnixNano: anyNano, value: double, traceId: hex(32), spanId: hex(16) },
  )
  const float = fc.oneof(double, nonFinite)
  const common = {
    name: fc.constant(name),
    timeUnixNano: recentNano.map(String),
    attributes,
    exemplars: fc.array(exemplar, { maxLength: 2 }),
    ...origin,
  }
  const optional = { startTimeUnixNano: anyNano, unit: word, description: word, flags: fc.constant(0) }
  const temporality = fc.constantFrom('delta', 'cumulative')
  const extremes = { min: float, max: float, sum: float }
  const buckets = shape({ offset: fc.integer(), bucketCounts: bucketCounts(3) })
  const value = fc.oneof(float, fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }))
  const of = (type: string, required: Shape, more: Shape = {}) =>
    shape({ ...common, type: fc.constant(type), ...required }, { ...optional, ...more })
  return fc.oneof(
    of('gauge', { value }),
    of('counter', { value, temporality, isMonotonic: fc.constant(true) }),
    of('updowncounter', { value, temporality, isMonotonic: fc.constant(false) }),
    of(
      'histogram',
      { count, temporality, explicitBounds: fc.constant([0, 0.5, 10]), bucketCounts: bucketCounts(4) },
      extremes,
    ),
    of(
      'exponentialHistogram',
      { count, temporality, scale: fc.integer({ min: -10, max: 20 }), zeroCount: count },
      {
        ...extremes,
        zeroThreshold: fc.double({ min: 0, max: 1, noNaN: true }).map((v) => v + 0),
        positive: buckets,
        negative: buckets,
      },
    ),
    of(
      'summary',
      {
        count,
        quantiles: fc.array(
          shape({ quantile: fc.double({ min: 0, max: 1, noNaN: true }).map((v) => v + 0), value: float }),
          { maxLength: 3 },
        ),
      },
      { sum: float },
    ),
  )
}

/** Fields of a flat entry: names that mean something, with text in them, and others that become attributes. */
export function arbitraryFlatLogRecord(): fc.Arbitrary<Record<string, string>> {
  const unknown = fc.dictionary(
    text.map((name) => `x-${name}`),
    text,
    { maxKeys: 5 },
  )
  return fc
    .tuple(
      recentNano,
      fc.constantFrom('debug', 'info', 'warn', 'error'),
      fc.string({ unit: 'grapheme' }),
      unknown,
    )
    .map(([time, level, message, others]) => ({ ...others, timeUnixNano: String(time), level, message }))
}

/** A flat span: every field is text. */
export function arbitraryFlatSpan(): fc.Arbitrary<Record<string, string>> {
  return shape({
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: hex(16),
    name: text,
    kind: fc.constantFrom('internal', 'server', 'client', 'producer', 'consumer'),
    status: fc.constantFrom('unset', 'ok', 'error'),
    startTimeUnixNano: recentNano.map(String),
    'x-key': text,
  }) as fc.Arbitrary<Record<string, string>>
}
