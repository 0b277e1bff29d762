import type { Attributes, AttributeValue } from './attributes.ts'
import { cleanText } from './clean-text.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPlainObject, typeOf } from './decode-fields.ts'

/** Stands in for attributes that are absent or refused. Shared, hence frozen. */
export const EMPTY_ATTRIBUTES: Attributes = Object.freeze({})

/** jsonb's numeric has room for 131,072 digits; nobody measures anything with more than these. */
const MAX_INTEGER_MAGNITUDE = 10n ** 1_000n

/**
 * Brings a value into normal form. `depth` counts the containers around it. What is in normal form
 * already comes back as it is; nothing of the caller's is changed. After a refusal the result means
 * nothing.
 */
export function normalizeValue(value: unknown, depth: number, context: DecodeContext): AttributeValue {
  switch (typeof value) {
    case 'string':
      return cleanText(value, context)
    case 'boolean':
      return value
    case 'number':
      return normalizeNumber(value)
    case 'bigint':
      return normalizeInteger(value, context)
    case 'object':
      if (value === null) return null
      return normalizeContainer(value, depth + 1, context)
    default:
      refuse(context, 'wrong_type', `an attribute must be a JSON value, not ${typeOf(value)}`)
      return null
  }
}

/**
 * A number as it survives JSON and jsonb: -0 is 0; what is not finite is a string, as in OTLP's JSON;
 * an integer past 2^53 is a `bigint` even when it was written as 1e18, for jsonb gives back its digits.
 */
export function normalizeNumber(value: number): AttributeValue {
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value
  if (Number.isInteger(value)) return BigInt(value)
  return Number.isFinite(value) ? value : String(value)
}

/** An integer in normal form: a number when a double holds it exactly and safely. */
export function normalizeInteger(value: bigint, context: DecodeContext): AttributeValue {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  if (value > MAX_INTEGER_MAGNITUDE || value < -MAX_INTEGER_MAGNITUDE) {
    refuse(context, 'out_of_range', 'an attribute integer must have at most 1,000 digits')
  }
  return value
}

/** The members of an attribute object in normal form, the object itself where nothing had to change. */
export function normalizeMembers(source: Fields, depth: number, context: DecodeContext): Attributes {
  let copy: Record<string, AttributeValue> | undefined
  for (const key of Object.keys(source)) {
    const value = source[key]
    if (typeof value === 'string' && !context.suspicious) continue
    const kept = normalizeValue(value, depth, context)
    if (context.rejection !== undefined) return EMPTY_ATTRIBUTES
    if (Object.is(kept, value)) continue
    copy ??= copyMembers(source as Attributes)
    setOwn(copy, key, kept)
  }
  const members = copy ?? (source as Attributes)
  return context.suspicious ? cleanKeys(members, context) : members
}

/** A copy to be changed. Four times as fast as a spread, and unlike `Object.assign` it keeps `__proto__` a key. */
export function copyMembers(source: Attributes): Record<string, AttributeValue> {
  const copy: Record<string, AttributeValue> = {}
  for (const key of Object.keys(source)) setOwn(copy, key, source[key] ?? null)
  return copy
}

/** Sets a member, also where its name is `__proto__` and a plain assignment would set the prototype. */
export function setOwn(target: Record<string, AttributeValue>, key: string, value: AttributeValue): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

function normalizeContainer(value: object, depth: number, context: DecodeContext): AttributeValue {
  if (depth > context.limits.maxDepth) {
    refuse(context, 'too_deep', `a value nests deeper than ${context.limits.maxDepth} levels`)
    return null
  }
  if (Array.isArray(value)) return normalizeItems(value, depth, context)
  if (isPlainObject(value)) return normalizeMembers(value, depth, context)
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') }
  refuse(context, 'wrong_type', `an attribute must be a JSON value, not ${typeOf(value)}`)
  return null
}

function normalizeItems(source: readonly unknown[], depth: number, context: DecodeContext): AttributeValue {
  let copy: AttributeValue[] | undefined
  for (let index = 0; index < source.length; index++) {
    const kept = normalizeValue(source[index], depth, context)
    if (context.rejection !== undefined) return null
    if (Object.is(kept, source[index])) continue
    copy ??= source.slice() as AttributeValue[]
    copy[index] = kept
  }
  return copy ?? (source as readonly AttributeValue[])
}

function cleanKeys(members: Attributes, context: DecodeContext): Attributes {
  let isClean = true
  const cleaned: Record<string, AttributeValue> = {}
  for (const [key, value] of Object.entries(members)) {
    const cleanKey = cleanText(key, context)
    if (cleanKey !== key) isClean = false
    setOwn(cleaned, cleanKey, value)
  }
  return isClean ? members : cleaned
}
