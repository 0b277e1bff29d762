import { knownAnyValue } from '../any-value.ts'
import { type Fields, isPlainObject, typeOf } from '../decode-fields.ts'
import type { Rejection } from '../rejection.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { METRIC_DATA, type Message, RECORD_MESSAGES, REQUEST_NAMES } from './otlp-messages.ts'

/** The records of a request as the decoders of records take them; or why the request holds none. */
export type RequestRecords =
  | { readonly records: readonly unknown[]; readonly rejection?: undefined }
  | { readonly records?: undefined; readonly rejection: Rejection }

/** What all records of one scope share. */
interface Source {
  readonly resource: Fields
  readonly scope: Fields
}

type Append = (records: unknown[], record: unknown, source: Source) => void

const APPEND: Readonly<Record<TelemetrySignal, Append>> = {
  traces: appendSpan,
  metrics: appendDataPoints,
  logs: appendLogRecord,
}

/**
 * The records of an export request as OTLP's JSON has it, each with its resource and its scope. Fields that OTLP does not know are left out: a later version of it may
 * mean something by them. Where protobuf leaves out a 0 or an empty name, it is put in.
 */
export function requestRecords(request: unknown, signal: TelemetrySignal): RequestRecords {
  const names = REQUEST_NAMES[signal]
  const append = APPEND[signal]
  const records: unknown[] = []
  const problem = eachObject(request, names.resources, (group) => {
    const { attributes } = fieldsOf(group.resource)
    const resource = { attributes: attributes ?? {}, schemaUrl: group.schemaUrl }
    return eachObject(group, names.scopes, (scopeGroup) => {
      const { name, version, attributes: scopeAttributes } = fieldsOf(scopeGroup.scope)
      const scope = { name, version, attributes: scopeAttributes, schemaUrl: scopeGroup.schemaUrl }
      const list = scopeGroup[names.records] ?? []
      if (!Array.isArray(list)) return notA('list', names.records, list)
      const source = { resource, scope }
      for (const record of list) append(records, record, source)
      return undefined
    })
  })
  return problem === undefined ? { records } : { rejection: problem }
}

/** Calls `take` with each object of a list. @returns the first problem. */
function eachObject(
  holder: unknown,
  name: string,
  take: (item: Fields) => Rejection | undefined,
): Rejection | undefined {
  if (!isPlainObject(holder)) return notA('object', `what holds ${name}`, holder)
  const list = holder[name] ?? []
  if (!Array.isArray(list)) return notA('list', name, list)
  for (const item of list) {
    if (!isPlainObject(item)) return notA('object', `each of ${name}`, item)
    const problem = take(item)
    if (problem !== undefined) return problem
  }
  return undefined
}

function notA(type: string, name: string, value: unknown): Rejection {
  return { reason: 'wrong_type', detail: `${name} must be a ${type}, not ${typeOf(value)}` }
}

function fieldsOf(value: unknown): Fields {
  return isPlainObject(value) ? value : {}
}

const SPAN_FIELDS = namesOf(RECORD_MESSAGES.span)
const EVENT_FIELDS = namesOf(RECORD_MESSAGES.event)
const LINK_FIELDS = namesOf(RECORD_MESSAGES.link)
const LOG_RECORD_FIELDS = namesOf(RECORD_MESSAGES.logRecord)

function namesOf(message: Message): readonly string[] {
  return message.flatMap((field) => field?.name ?? [])
}

/** Protobuf writes no 0 of these, and JSON may: none is meant. */
const UNSET_AT_ZERO: ReadonlySet<string> = new Set([
  'flags',
  'droppedAttributesCount',
  'droppedEventsCount',
  'droppedLinksCount',
])

function pick(fields: Fields, names: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {}
  for (const name of names) {
    const value = fields[name]
    if (value !== undefined && !(value === 0 && UNSET_AT_ZERO.has(name))) picked[name] = value
  }
  return picked
}

function appendSpan(records: unknown[], record: unknown, source: Source): void {
  if (!isPlainObject(record)) {
    records.push(record)
    return
  }
  const span = pick(record, SPAN_FIELDS)
  span.name ??= ''
  if (Array.isArray(span.events)) span.events = span.events.map(asEvent)
  if (Array.isArray(span.links)) span.links = span.links.map(asLink)
  records.push(Object.assign(span, source))
}

function asEvent(event: unknown): unknown {
  if (!isPlainObject(event)) return event
  const picked = pick(event, EVENT_FIELDS)
  picked.name ??= ''
  return picked
}

function asLink(link: unknown): unknown {
  return isPlainObject(link) ? pick(link, LINK_FIELDS) : link
}

function appendLogRecord(records: unknown[], record: unknown, source: Source): void {
  if (!isPlainObject(record)) {
    records.push(record)
    return
  }
  const body = knownAnyValue(record.body)
  records.push(Object.assign(pick({ ...record, body }, LOG_RECORD_FIELDS), source))
}

type MetricType = (typeof METRIC_DATA)[number]

const POINT_FIELDS: Readonly<Record<MetricType, readonly string[]>> = pointFields()
/** Of these a point without a count has counted nothing. */
const COUNTED: readonly MetricType[] = ['histogram', 'exponentialHistogram', 'summary']

function pointFields(): Record<MetricType, readonly string[]> {
  const fieldsOfPoint = (type: MetricType): readonly string[] => {
    const data = RECORD_MESSAGES.metric.find((field) => field?.name === type)?.message?.()
    const points = data?.find((field) => field?.name === 'dataPoints')?.message?.()
    return namesOf(points ?? [])
  }
  return Object.fromEntries(METRIC_DATA.map((type) => [type, fieldsOfPoint(type)])) as Record<
    MetricType,
    readonly string[]
  >
}

/** A metric without a type this version knows, or with several, has no points that it could read: the decoder refuses it for its type. */
function appendDataPoints(records: unknown[], metric: unknown, source: Source): void {
  if (!isPlainObject(metric)) {
    records.push(metric)
    return
  }
  const [type, ...others] = METRIC_DATA.filter((each) => metric[each] !== undefined && metric[each] !== null)
  if (type === undefined || others.length > 0) {
    records.push(Object.assign(pick(metric, ['name', 'description', 'unit']), source))
    return
  }
  const { name, description, unit } = metric
  const { dataPoints = [], aggregationTemporality, isMonotonic } = fieldsOf(metric[type])
  const definition = { name, description, unit, type, aggregationTemporality, isMonotonic }
  for (const point of Array.isArray(dataPoints) ? dataPoints : [dataPoints]) {
    if (!isPlainObject(point)) records.push(point)
    else {
      const picked = pick(point, POINT_FIELDS[type])
      if (COUNTED.includes(type)) picked.count ??= 0
      records.push(Object.assign(picked, definition, source))
    }
  }
}
