import type { Attributes, AttributeValue } from './attributes.ts'
import { cleanText } from './clean-text.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import {
  type Fields,
  isPlainObject,
  MAX_INT64,
  MIN_INT64,
  parseDouble,
  readIntegerIn,
  typeOf,
} from './decode-fields.ts'
import {
  EMPTY_ATTRIBUTES,
  normalizeInteger,
  normalizeNumber,
  normalizeValue,
  setOwn,
} from './normalize-value.ts'

type AnyValueReader = (value: unknown, depth: number, context: DecodeContext) => AttributeValue

/** The members of OTLP's AnyValue, of which one is set, and how each is read. */
const ANY_VALUE_READERS: ReadonlyMap<string, AnyValueReader> = new Map<string, AnyValueReader>([
  ['stringValue', readStringValue],
  ['boolValue', readBoolValue],
  ['intValue', readIntValue],
  ['doubleValue', readDoubleValue],
  ['arrayValue', readArrayValue],
  ['kvlistValue', readKvlistValue],
  ['bytesValue', (value, depth, context) => normalizeValue({ bytesValue: value }, depth, context)],
])

/**
 * Unwraps an OTLP AnyValue (opentelemetry/proto/common/v1, JSON mapping). An empty one is null. What
 * is no AnyValue, such as a bare string or a member of a later protocol version, is kept as it came.
 */
export function decodeAnyValue(value: unknown, depth: number, context: DecodeContext): AttributeValue {
  if (value === undefined) return null
  if (!isPlainObject(value)) return normalizeValue(value, depth, context)
  const keys = Object.keys(value)
  for (const key of keys) {
    const reader = ANY_VALUE_READERS.get(key)
    if (reader !== undefined && value[key] !== null) return reader(value[key], depth, context)
  }
  // A member that is null is not set.
  return keys.every((key) => ANY_VALUE_READERS.has(key)) ? null : normalizeValue(value, depth, context)
}

/** The member of an AnyValue that is set, alone: without those of a later protocol version. Undefined where none is. */
export function knownAnyValue(value: unknown): unknown {
  if (!isPlainObject(value)) return value
  const key = Object.keys(value).find((name) => ANY_VALUE_READERS.has(name) && value[name] !== null)
  return key === undefined ? undefined : { [key]: value[key] }
}

/** Whether an object can only be meant as an AnyValue: one member, of its name and of its type. */
export function isAnyValue(value: unknown): value is Fields {
  if (!isPlainObject(value)) return false
  const [key, ...others] = Object.keys(value)
  if (key === undefined || others.length > 0) return false
  const content = value[key]
  switch (key) {
    case 'stringValue':
    case 'bytesValue':
      return typeof content === 'string'
    case 'boolValue':
      return typeof content === 'boolean'
    case 'intValue':
    case 'doubleValue':
      return parseDouble(content) !== undefined
    case 'arrayValue':
    case 'kvlistValue':
      return isPlainObject(content) && (Array.isArray(content.values) || Object.keys(content).length === 0)
    default:
      return false
  }
}

/** Reads an OTLP KeyValue list. Of a repeated key the last one counts. */
export function decodeKeyValues(list: readonly unknown[], depth: number, context: DecodeContext): Attributes {
  const attributes: Record<string, AttributeValue> = {}
  for (const pair of list) {
    const key = isPlainObject(pair) ? keyOf(pair) : undefined
    if (!isPlainObject(pair) || typeof key !== 'string') {
      refuse(context, 'wrong_type', 'a list of attributes must hold objects with `key` and `value`')
      return EMPTY_ATTRIBUTES
    }
    setOwn(attributes, cleanText(key, context), decodeAnyValue(pair.value, depth, context))
    if (context.rejection !== undefined) return EMPTY_ATTRIBUTES
  }
  return attributes
}

/** Protobuf's JSON leaves an empty key out; what has other members is no pair. */
function keyOf(pair: Fields): unknown {
  const isWithoutKey = pair.key === undefined && Object.keys(pair).every((name) => name === 'value')
  return isWithoutKey ? '' : pair.key
}

function readStringValue(value: unknown, _depth: number, context: DecodeContext): AttributeValue {
  return typeof value === 'string' ? cleanText(value, context) : wrongType('stringValue', value, context)
}

function readBoolValue(value: unknown, _depth: number, context: DecodeContext): AttributeValue {
  return typeof value === 'boolean' ? value : wrongType('boolValue', value, context)
}

function readIntValue(value: unknown, _depth: number, context: DecodeContext): AttributeValue {
  const integer = readIntegerIn(value, 'intValue', { min: MIN_INT64, max: MAX_INT64, context })
  return integer === undefined ? null : normalizeInteger(integer, context)
}

function readDoubleValue(value: unknown, _depth: number, context: DecodeContext): AttributeValue {
  const double = parseDouble(value)
  return double === undefined ? wrongType('doubleValue', value, context) : normalizeNumber(double)
}

function readArrayValue(value: unknown, depth: number, context: DecodeContext): AttributeValue {
  const items: AttributeValue[] = []
  for (const item of readValues(value, 'arrayValue', depth, context)) {
    items.push(decodeAnyValue(item, depth + 1, context))
    if (context.rejection !== undefined) break
  }
  return items
}

function readKvlistValue(value: unknown, depth: number, context: DecodeContext): AttributeValue {
  return decodeKeyValues(readValues(value, 'kvlistValue', depth, context), depth + 1, context)
}

/** The `values` of an arrayValue or kvlistValue, which protobuf's JSON leaves out when empty. */
function readValues(value: unknown, name: string, depth: number, context: DecodeContext): readonly unknown[] {
  if (depth >= context.limits.maxDepth) {
    refuse(context, 'too_deep', `a value nests deeper than ${context.limits.maxDepth} levels`)
    return []
  }
  const values = isPlainObject(value) ? (value.values ?? []) : undefined
  if (Array.isArray(values)) return values
  wrongType(name, value, context)
  return []
}

function wrongType(name: string, value: unknown, context: DecodeContext): null {
  refuse(context, 'wrong_type', `${name} does not fit its type: it is ${typeOf(value)}`)
  return null
}
