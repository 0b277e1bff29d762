import { METRIC_TYPES } from '../../models/data-point.ts'
import { SPAN_KINDS, STATUS_CODES } from '../../models/decode-span-status.ts'
import { arrayOf, flag, integer, type JsonSchema, object, oneOf, ref, text } from './json-schema.ts'

const droppedAttributesCount = integer('How many the sender left out.')
/** Every record says where it comes from. */
const ORIGIN = {
  service: text('Name of the service.'),
  attributes: ref('Attributes'),
  resource: ref('Resource'),
  scope: ref('Scope'),
}

const BUCKETS = object({ offset: integer(), bucketCounts: arrayOf(integer()) })

const METRIC = object(
  { name: text(), type: oneOf(METRIC_TYPES) },
  {
    unit: text(),
    description: text(),
    temporality: oneOf(['delta', 'cumulative']),
    isMonotonic: flag('Of counters true, of up-down counters false.'),
  },
)

/** A span in the shape in which it can be sent. */
export const SPAN = object(
  {
    traceId: ref('TraceId'),
    spanId: ref('SpanId'),
    name: text(),
    kind: oneOf([...SPAN_KINDS.keys()]),
    startTimeUnixNano: ref('UnixNano'),
    status: object({ code: oneOf([...STATUS_CODES.keys()]) }, { message: text() }),
    events: arrayOf(
      object(
        { timeUnixNano: ref('UnixNano'), name: text(), attributes: ref('Attributes') },
        { droppedAttributesCount },
      ),
    ),
    links: arrayOf(
      object(
        { traceId: ref('TraceId'), spanId: ref('SpanId'), attributes: ref('Attributes') },
        { traceState: text(), flags: integer(), droppedAttributesCount },
      ),
    ),
    ...ORIGIN,
  },
  {
    parentSpanId: ref('SpanId'),
    traceState: text(),
    flags: integer(),
    endTimeUnixNano: ref('UnixNano'),
    droppedAttributesCount,
    droppedEventsCount: integer('How many the sender left out.'),
    droppedLinksCount: integer('How many the sender left out.'),
  },
)

/** The stored records, each in the shape in which it can be sent: what was not sent is left out. */
export const RECORD_SCHEMAS = {
  Span: SPAN,
  LogRecord: object(
    { timeUnixNano: ref('UnixNano'), ...ORIGIN },
    {
      observedTimeUnixNano: ref('UnixNano'),
      severityNumber: { type: 'integer', minimum: 1, maximum: 24 },
      severityText: text(),
      eventName: text(),
      body: { description: 'Mostly a text; any JSON.' },
      traceId: ref('TraceId'),
      spanId: ref('SpanId'),
      flags: integer(),
      droppedAttributesCount,
    },
  ),
  Metric: METRIC,
  DataPoint: object(
    {
      name: text(),
      type: oneOf(METRIC_TYPES),
      timeUnixNano: ref('UnixNano'),
      exemplars: arrayOf(
        object(
          { filteredAttributes: ref('Attributes') },
          {
            timeUnixNano: ref('UnixNano'),
            value: ref('Number'),
            traceId: ref('TraceId'),
            spanId: ref('SpanId'),
          },
        ),
      ),
      ...ORIGIN,
    },
    {
      ...METRIC.properties,
      startTimeUnixNano: ref('UnixNano'),
      flags: integer(),
      value: ref('Number', 'Of gauges and counters.'),
      count: integer('Of histograms and summaries: how often was measured.'),
      sum: ref('Number'),
      min: ref('Number'),
      max: ref('Number'),
      explicitBounds: arrayOf(ref('Number'), 'Of histograms.'),
      bucketCounts: arrayOf(integer(), 'Of histograms: one more than bounds.'),
      scale: integer('Of exponential histograms.'),
      zeroCount: integer(),
      zeroThreshold: ref('Number'),
      positive: BUCKETS,
      negative: BUCKETS,
      quantiles: arrayOf(object({ quantile: ref('Number'), value: ref('Number') }), 'Of summaries.'),
    },
  ),
} satisfies Readonly<Record<string, JsonSchema>>
