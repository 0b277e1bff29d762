import { isPlainObject } from '../../models/decode-fields.ts'
import { parseJson } from '../../models/json.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/**
 * A place in a record: a field (`name`), or a key within one (`attributes` and `gen_ai.usage.input_tokens`). Keys keep
 * their dots: attributes are flat in OpenTelemetry.
 */
export interface FieldPath {
  readonly field: string
  readonly key: string | undefined
}

const COMMON_FIELDS = [
  'attributes',
  'service',
  'resource',
  'scope',
  'schemaUrl',
  'flags',
  'droppedAttributesCount',
]

const FIELDS: Readonly<Record<TelemetrySignal, ReadonlySet<string>>> = {
  traces: new Set([
    ...COMMON_FIELDS,
    ...['traceId', 'spanId', 'parentSpanId', 'traceState', 'name', 'kind', 'status', 'events', 'links'],
    ...['startTimeUnixNano', 'startTime', 'endTimeUnixNano', 'endTime', 'durationMs'],
    ...['droppedEventsCount', 'droppedLinksCount'],
  ]),
  logs: new Set([
    ...COMMON_FIELDS,
    ...['timeUnixNano', 'time', 'timestamp', 'observedTimeUnixNano', 'traceId', 'spanId'],
    ...['severityNumber', 'severityText', 'level', 'body', 'message', 'eventName'],
  ]),
  metrics: new Set([
    ...COMMON_FIELDS,
    ...['name', 'type', 'unit', 'description', 'temporality', 'aggregationTemporality', 'isMonotonic'],
    ...['timeUnixNano', 'time', 'startTimeUnixNano', 'startTime', 'value', 'asDouble', 'asInt', 'exemplars'],
    ...['count', 'sum', 'min', 'max', 'explicitBounds', 'bucketCounts', 'quantiles', 'quantileValues'],
    ...['scale', 'zeroCount', 'zeroThreshold', 'positive', 'negative'],
  ]),
}

/** Fields that hold named values, and so may come before a dot. */
const CONTAINERS = ['attributes', 'resource', 'scope', 'status']

/** A column's name or a path of `--map` or `--set`. What names no field of the record names an attribute. */
export function parseFieldPath(telemetrySignal: TelemetrySignal, text: string): FieldPath {
  const container = CONTAINERS.find((name) => text.startsWith(`${name}.`) && text.length > name.length + 1)
  if (container !== undefined) return { field: container, key: text.slice(container.length + 1) }
  if (FIELDS[telemetrySignal].has(text)) return { field: text, key: undefined }
  return { field: 'attributes', key: text }
}

/** Puts a value there. Containers are made, a resource of the form `{attributes}` is kept as one. */
export function setField(record: Record<string, unknown>, path: FieldPath, value: unknown): void {
  const container = path.field === 'resource' ? resourceAttributes(record) : record[path.field]
  if (path.key === undefined) {
    define(record, path.field, value)
  } else if (Array.isArray(container)) {
    container.push({ key: path.key, value: anyValue(value) })
  } else if (isPlainObject(container)) {
    define(container as Record<string, unknown>, path.key, value)
  } else {
    define(record, path.field, Object.fromEntries([[path.key, value]]))
  }
}

/** `__proto__` is a key like any other: an assignment would not make it one. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[key] = value
  }
}

function resourceAttributes({ resource }: Record<string, unknown>): unknown {
  return isPlainObject(resource) && typeof resource.attributes === 'object' ? resource.attributes : resource
}

/** OTLP's AnyValue, for attributes that are lists of key and value. */
function anyValue(value: unknown): object {
  if (typeof value === 'bigint') return { intValue: String(value) }
  return typeof value === 'number' ? { doubleValue: value } : { stringValue: String(value) }
}

const INTEGER = /^-?(?:0|[1-9]\d{0,37})$/
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/**
 * What a cell or constant is worth at a path: numbers become numbers (integers exactly) among attributes, JSON is read where a
 * field holds lists or objects; all else is text, which the decoders read as what the field is.
 */
export function valueAt(path: FieldPath, text: string): unknown {
  if (path.field === 'attributes' || path.field === 'resource') {
    if (path.key !== undefined) return numberOrText(text)
  }
  const isJson = path.key === undefined && /^\s*[[{]/.test(text) && !TEXT_FIELDS.has(path.field)
  return isJson ? (parseJson(text).value ?? text) : text
}

/** Fields that may well begin with a bracket and mean it. */
const TEXT_FIELDS = new Set(['body', 'message', 'name', 'description', 'eventName'])

function numberOrText(text: string): string | number | bigint {
  if (!NUMBER.test(text)) return text
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  if (INTEGER.test(text)) return BigInt(text)
  return Number.isFinite(number) ? number : text
}
