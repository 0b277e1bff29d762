import { cleanText } from './clean-text.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { parseJson } from './json.ts'

/** The members of a loose object, of whatever type. Absent, null and (for most) empty are the same. */
export type Fields = Readonly<Record<string, unknown>>

/**
 * UTF-8 bytes of a text that gets indexed (service, name, model, user, session, …). A btree entry may
 * have about 2,704 bytes (SQLSTATE 54000 above); two such texts and a time fit one entry.
 */
export const MAX_INDEXED_TEXT_BYTES = 1_024

const MAX_UINT32 = 0xffff_ffffn
export const MIN_INT64 = -(2n ** 63n)
export const MAX_INT64 = 2n ** 63n - 1n

const INTEGER = /^-?\d{1,40}$/
const DOUBLE = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/

/** The smallest double written out has 1,077 characters. */
const MAX_DOUBLE_LENGTH = 1_100

/** Whether a field says anything. OTLP's JSON writes the empty string for a text or id that is not set. */
export function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

/** Whether a value is an object as JSON has it: no list, no class instance. */
export function isPlainObject(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The value of a field that is an object or a list; in the flat form it is parsed from text first. */
export function readContainer(value: unknown, field: string, context: DecodeContext): unknown {
  if (!context.flat || typeof value !== 'string' || value === '') return value
  const parsed = parseJson(value)
  if (parsed.rejection === undefined) return parsed.value
  return refuse(context, parsed.rejection.reason, `${field}: ${parsed.rejection.detail}`)
}

/** A list field: empty when absent. */
export function readList(value: unknown, field: string, context: DecodeContext): readonly unknown[] {
  const list = readContainer(value, field, context)
  if (Array.isArray(list)) return list
  if (isPresent(list)) refuse(context, 'wrong_type', `${field} must be a list, not ${typeOf(list)}`)
  return []
}

/** A text field. The empty string is the same as none, as in OTLP. */
export function readText(value: unknown, field: string, context: DecodeContext): string | undefined {
  if (!isPresent(value)) return undefined
  if (typeof value === 'string') return cleanText(value, context)
  return refuse(context, 'wrong_type', `${field} must be text, not ${typeOf(value)}`)
}

/** A text field that an index has to hold. */
export function readIndexedText(value: unknown, field: string, context: DecodeContext): string | undefined {
  const text = readText(value, field, context)
  if (text === undefined || fitsIndex(text)) return text
  return refuse(context, 'too_large', `${field} must have at most ${MAX_INDEXED_TEXT_BYTES} bytes`)
}

export function fitsIndex(text: string): boolean {
  // A UTF-16 unit has at most three bytes in UTF-8, so that short text need not be measured.
  return text.length * 3 <= MAX_INDEXED_TEXT_BYTES || Buffer.byteLength(text) <= MAX_INDEXED_TEXT_BYTES
}

/** OTLP's uint32 (flags, dropped counts), as a number or as text. */
export function readUint32(value: unknown, field: string, context: DecodeContext): number | undefined {
  if (!isPresent(value)) return undefined
  if (typeof value === 'number' && value >>> 0 === value) return value
  const integer = readIntegerIn(value, field, { min: 0n, max: MAX_UINT32, context })
  return integer === undefined ? undefined : Number(integer)
}

/** An integer between `min` and `max`, as a number, bigint or text; refuses everything else. */
export function readIntegerIn(
  value: unknown,
  field: string,
  { min, max, context }: { min: bigint; max: bigint; context: DecodeContext },
): bigint | undefined {
  const integer = parseInteger(value)
  if (integer === undefined) {
    return refuse(context, 'wrong_type', `${field} must be an integer, not ${typeOf(value)}`)
  }
  if (integer >= min && integer <= max) return integer
  return refuse(context, 'out_of_range', `${field} must be between ${min} and ${max}`)
}

/** An integer however JSON carries it, exactly; undefined for anything else. */
export function parseInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string') return INTEGER.test(value) ? BigInt(value) : undefined
  return Number.isInteger(value) ? BigInt(value as number) : undefined
}

/** A double however JSON carries it, also as text ("NaN", "Infinity", "1.5"); undefined for anything else. */
export function parseDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string' || value.length > MAX_DOUBLE_LENGTH) return undefined
  return DOUBLE.test(value) ? Number(value) : undefined
}

/** What a refused value is, in the words of JSON. Never the value: it may be private. */
export function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return isPlainObject(value) ? 'an object' : 'a class instance'
  return typeof value === 'string' ? 'this text' : `a ${typeof value}`
}
