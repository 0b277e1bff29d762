import type { TelemetrySignal } from '../telemetry-signal.ts'
import { DELIMITED, FIXED32, FIXED64, VARINT, type WireReader } from './wire-reader.ts'

/**
 * OTLP's messages as tables: of each field its number, its name in OTLP's JSON, and how it is read. Only what is stored is listed; all else is passed over, as the
 * protocol wants of fields that are not known.
 *
 * Source: opentelemetry-proto v1.9, `opentelemetry/proto/{common,resource,trace,metrics,logs}/v1/*.proto`.
 */
export type Message = readonly (Field | undefined)[]

export type Field = ScalarField | MessageField

export interface ScalarField {
  readonly name: string
  readonly isRepeated: boolean
  readonly wireType: number
  readonly read: (reader: WireReader) => unknown
  readonly message?: undefined
}

export interface MessageField {
  readonly name: string
  readonly isRepeated: boolean
  readonly wireType: typeof DELIMITED
  readonly message: () => Message
  /** Key-value lists: an object is made of them. */
  readonly isAttributes: boolean
}

type Fields = Readonly<Record<number, Field>>

function message(fields: Fields): Message {
  const table: (Field | undefined)[] = []
  for (const [number, field] of Object.entries(fields)) table[Number(number)] = field
  return Array.from(table)
}

const scalar =
  (wireType: number, read: (reader: WireReader) => unknown) =>
  (name: string): ScalarField => ({ name, isRepeated: false, wireType, read })
const text = scalar(DELIMITED, (reader) => reader.text())
const id = scalar(DELIMITED, (reader) => reader.encodedBytes('hex'))
const bytes = scalar(DELIMITED, (reader) => reader.encodedBytes('base64'))
const bool = scalar(VARINT, (reader) => reader.bool())
const integer = scalar(VARINT, (reader) => reader.int64())
const uint32 = scalar(VARINT, (reader) => reader.uint32())
const uint64 = scalar(VARINT, (reader) => reader.uint64())
const sint32 = scalar(VARINT, (reader) => reader.sint32())
const fixed32 = scalar(FIXED32, (reader) => reader.fixed32())
const fixed64 = scalar(FIXED64, (reader) => reader.fixed64())
const sfixed64 = scalar(FIXED64, (reader) => reader.sfixed64())
const double = scalar(FIXED64, (reader) => reader.double())

const repeated = (field: ScalarField): ScalarField => ({ ...field, isRepeated: true })
const one = (name: string, of: () => Message): MessageField => ({
  name,
  isRepeated: false,
  wireType: DELIMITED,
  message: of,
  isAttributes: false,
})
const many = (name: string, of: () => Message): MessageField => ({ ...one(name, of), isRepeated: true })
const attributes = (name = 'attributes'): MessageField => ({
  ...many(name, () => KEY_VALUE),
  isAttributes: true,
})

const ANY_VALUE = message({
  1: text('stringValue'),
  2: bool('boolValue'),
  3: integer('intValue'),
  4: double('doubleValue'),
  5: one('arrayValue', () => ARRAY_VALUE),
  6: one('kvlistValue', () => KEY_VALUE_LIST),
  7: bytes('bytesValue'),
})
const ARRAY_VALUE = message({ 1: many('values', () => ANY_VALUE) })
const KEY_VALUE = message({ 1: text('key'), 2: one('value', () => ANY_VALUE) })
const KEY_VALUE_LIST = message({ 1: many('values', () => KEY_VALUE) })

const RESOURCE = message({ 1: attributes() })
const SCOPE = message({ 1: text('name'), 2: text('version'), 3: attributes() })

const STATUS = message({ 2: text('message'), 3: integer('code') })
const SPAN_EVENT = message({
  1: fixed64('timeUnixNano'),
  2: text('name'),
  3: attributes(),
  4: uint32('droppedAttributesCount'),
})
const SPAN_LINK = message({
  1: id('traceId'),
  2: id('spanId'),
  3: text('traceState'),
  4: attributes(),
  5: uint32('droppedAttributesCount'),
  6: fixed32('flags'),
})
const SPAN = message({
  1: id('traceId'),
  2: id('spanId'),
  3: text('traceState'),
  4: id('parentSpanId'),
  5: text('name'),
  6: integer('kind'),
  7: fixed64('startTimeUnixNano'),
  8: fixed64('endTimeUnixNano'),
  9: attributes(),
  10: uint32('droppedAttributesCount'),
  11: many('events', () => SPAN_EVENT),
  12: uint32('droppedEventsCount'),
  13: many('links', () => SPAN_LINK),
  14: uint32('droppedLinksCount'),
  15: one('status', () => STATUS),
  16: fixed32('flags'),
})

const LOG_RECORD = message({
  1: fixed64('timeUnixNano'),
  2: integer('severityNumber'),
  3: text('severityText'),
  5: one('body', () => ANY_VALUE),
  6: attributes(),
  7: uint32('droppedAttributesCount'),
  8: fixed32('flags'),
  9: id('traceId'),
  10: id('spanId'),
  11: fixed64('observedTimeUnixNano'),
  12: text('eventName'),
})

const EXEMPLAR = message({
  2: fixed64('timeUnixNano'),
  3: double('asDouble'),
  4: id('spanId'),
  5: id('traceId'),
  6: sfixed64('asInt'),
  7: attributes('filteredAttributes'),
})
const NUMBER_POINT = message({
  2: fixed64('startTimeUnixNano'),
  3: fixed64('timeUnixNano'),
  4: double('asDouble'),
  5: many('exemplars', () => EXEMPLAR),
  6: sfixed64('asInt'),
  7: attributes(),
  8: uint32('flags'),
})
const HISTOGRAM_POINT = message({
  2: fixed64('startTimeUnixNano'),
  3: fixed64('timeUnixNano'),
  4: fixed64('count'),
  5: double('sum'),
  6: repeated(fixed64('bucketCounts')),
  7: repeated(double('explicitBounds')),
  8: many('exemplars', () => EXEMPLAR),
  9: attributes(),
  10: uint32('flags'),
  11: double('min'),
  12: double('max'),
})
const BUCKETS = message({ 1: sint32('offset'), 2: repeated(uint64('bucketCounts')) })
const EXPONENTIAL_HISTOGRAM_POINT = message({
  1: attributes(),
  2: fixed64('startTimeUnixNano'),
  3: fixed64('timeUnixNano'),
  4: fixed64('count'),
  5: double('sum'),
  6: sint32('scale'),
  7: fixed64('zeroCount'),
  8: one('positive', () => BUCKETS),
  9: one('negative', () => BUCKETS),
  10: uint32('flags'),
  11: many('exemplars', () => EXEMPLAR),
  12: double('min'),
  13: double('max'),
  14: double('zeroThreshold'),
})
const QUANTILE_VALUE = message({ 1: double('quantile'), 2: double('value') })
const SUMMARY_POINT = message({
  2: fixed64('startTimeUnixNano'),
  3: fixed64('timeUnixNano'),
  4: fixed64('count'),
  5: double('sum'),
  6: many('quantileValues', () => QUANTILE_VALUE),
  7: attributes(),
  8: uint32('flags'),
})
const data = (point: Message): Message =>
  message({
    1: many('dataPoints', () => point),
    2: integer('aggregationTemporality'),
    3: bool('isMonotonic'),
  })
const METRIC = message({
  1: text('name'),
  2: text('description'),
  3: text('unit'),
  5: one('gauge', () => GAUGE),
  7: one('sum', () => SUM),
  9: one('histogram', () => HISTOGRAM),
  10: one('exponentialHistogram', () => EXPONENTIAL_HISTOGRAM),
  11: one('summary', () => SUMMARY),
})
const GAUGE = data(NUMBER_POINT)
const SUM = data(NUMBER_POINT)
const HISTOGRAM = data(HISTOGRAM_POINT)
const EXPONENTIAL_HISTOGRAM = data(EXPONENTIAL_HISTOGRAM_POINT)
const SUMMARY = data(SUMMARY_POINT)

/** A request: records in groups of one scope, these in groups of one resource. */
function request(names: RequestNames, record: Message): Message {
  const scopeGroup = message({
    1: one('scope', () => SCOPE),
    2: many(names.records, () => record),
    3: text('schemaUrl'),
  })
  const resourceGroup = message({
    1: one('resource', () => RESOURCE),
    2: many(names.scopes, () => scopeGroup),
    3: text('schemaUrl'),
  })
  return message({ 1: many(names.resources, () => resourceGroup) })
}

/** What the lists of an export request are called, from the outside in. */
export interface RequestNames {
  readonly resources: string
  readonly scopes: string
  readonly records: string
}

export const REQUEST_NAMES: Readonly<Record<TelemetrySignal, RequestNames>> = {
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', records: 'spans' },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', records: 'metrics' },
  logs: { resources: 'resourceLogs', scopes: 'scopeLogs', records: 'logRecords' },
}

/** The kinds of data of a metric, by their fields. */
export const METRIC_DATA = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const

/** The fields that lead to the records of a request, from the outside in; the points of a metric are records. */
export const RECORD_PATHS: Readonly<Record<TelemetrySignal, readonly (readonly string[])[]>> = {
  traces: pathOf(REQUEST_NAMES.traces),
  metrics: [...pathOf(REQUEST_NAMES.metrics), METRIC_DATA, ['dataPoints']],
  logs: pathOf(REQUEST_NAMES.logs),
}

function pathOf({ resources, scopes, records }: RequestNames): readonly (readonly string[])[] {
  return [[resources], [scopes], [records]]
}

/** What is stored of each record; of a metric, of its points. */
export const RECORD_MESSAGES = {
  span: SPAN,
  event: SPAN_EVENT,
  link: SPAN_LINK,
  metric: METRIC,
  logRecord: LOG_RECORD,
} as const

/** `Export{Trace,Metrics,Logs}ServiceRequest`. */
export const REQUEST_MESSAGES: Readonly<Record<TelemetrySignal, Message>> = {
  traces: request(REQUEST_NAMES.traces, SPAN),
  metrics: request(REQUEST_NAMES.metrics, METRIC),
  logs: request(REQUEST_NAMES.logs, LOG_RECORD),
}
