import type { MetricValue, NonFinite } from './data-point.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import {
  isPresent,
  MAX_INT64,
  MIN_INT64,
  parseDouble,
  parseInteger,
  readIntegerIn,
  typeOf,
} from './decode-fields.ts'

/**
 * The value of a number point: OTLP's int64 or double, as a number or text. In normal form a whole
 * number past 2^53 that fits int64 is a `bigint`, any other a double.
 */
export function readMetricValue(
  value: unknown,
  field: string,
  context: DecodeContext,
): MetricValue | undefined {
  if (!isPresent(value)) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value === 0 ? 0 : value
  const integer = parseInteger(value)
  if (integer === undefined) return readDouble(value, field, context)
  const double = Number(integer)
  if (Number.isSafeInteger(double)) return double
  if (integer >= MIN_INT64 && integer <= MAX_INT64) return integer
  if (isDouble(integer, double)) return double
  return refuse(context, 'out_of_range', `${field} must fit 64 bits, or be what a double can hold`)
}

/**
 * Past int64 a whole number can only have been a double: its exact value, or the shortest digits that
 * name it, as JSON.stringify writes it below 10^21.
 */
function isDouble(integer: bigint, double: number): boolean {
  return Number.isFinite(double) && (BigInt(double) === integer || String(double) === String(integer))
}

/** A double; what is not finite is the text that OTLP's JSON has for it. */
export function readDouble(
  value: unknown,
  field: string,
  context: DecodeContext,
): number | NonFinite | undefined {
  if (!isPresent(value)) return undefined
  const double = parseDouble(value)
  if (double === undefined) {
    return refuse(context, 'wrong_type', `${field} must be a number, not ${typeOf(value)}`)
  }
  if (Number.isFinite(double)) return double === 0 ? 0 : double
  return Number.isNaN(double) ? 'NaN' : double > 0 ? 'Infinity' : '-Infinity'
}

/** A double between two bounds. Both are excluded from NaN and the infinities by being finite. */
export function readDoubleIn(
  value: unknown,
  field: string,
  { min, max, context }: { min: number; max: number; context: DecodeContext },
): number | undefined {
  const double = readDouble(value, field, context)
  if (double === undefined || (typeof double === 'number' && double >= min && double <= max)) return double
  return refuse(context, 'out_of_range', `${field} must be between ${min} and ${max}`)
}

/** A count: OTLP's uint64, of which storage (int8) holds the lower half. */
export function readCount(value: unknown, field: string, context: DecodeContext): bigint | undefined {
  if (!isPresent(value)) return undefined
  if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)) return BigInt(value)
  return readIntegerIn(value, field, { min: 0n, max: MAX_INT64, context })
}

/** OTLP's sint32. */
export function readInt32(value: unknown, field: string, context: DecodeContext): number | undefined {
  if (!isPresent(value)) return undefined
  const integer = readIntegerIn(value, field, { min: -(2n ** 31n), max: 2n ** 31n - 1n, context })
  return integer === undefined ? undefined : Number(integer)
}
