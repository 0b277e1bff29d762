import { decodeKeyValues } from './any-value.ts'
import type { Attributes, AttributeValue } from './attributes.ts'
import { cleanText } from './clean-text.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPlainObject, isPresent, readContainer, typeOf } from './decode-fields.ts'
import { EMPTY_ATTRIBUTES, normalizeMembers, normalizeValue, setOwn } from './normalize-value.ts'

/**
 * The fields of a record shape. Those mapped to another field are shorthands of it; where both are
 * given the shorthand was not meant as one and is an attribute, like a field the shape does not know.
 */
export type KnownFields = ReadonlyMap<string, string>

/** Mapped to instead of a name by fields that are no shorthand. */
const NO_SHORTHAND = ''

/** Fields of a record shape: the names, and shorthands as `[shorthand, name]`. */
export function knownFields(...fields: readonly (string | readonly [string, string])[]): KnownFields {
  return new Map(fields.map((field) => (typeof field === 'string' ? [field, NO_SHORTHAND] : field)))
}

/** Attributes, given as an object or as an OTLP KeyValue list (in the flat form as JSON text). */
export function decodeAttributes(value: unknown, field: string, context: DecodeContext): Attributes {
  const source = readContainer(value, field, context)
  if (!isPresent(source)) return EMPTY_ATTRIBUTES
  if (Array.isArray(source)) return decodeKeyValues(source, 0, context)
  if (isPlainObject(source)) return normalizeMembers(source, 0, context)
  refuse(
    context,
    'wrong_type',
    `${field} must be an object or a list of key and value, not ${typeOf(source)}`,
  )
  return EMPTY_ATTRIBUTES
}

/**
 * The attributes of a record: its `attributes`, and every field its shape does not know, so that
 * nothing that was sent is lost. What `attributes` says wins.
 */
export function collectAttributes(fields: Fields, known: KnownFields, context: DecodeContext): Attributes {
  const attributes = decodeAttributes(fields.attributes, 'attributes', context)
  let unknown: Record<string, AttributeValue> | undefined
  for (const key of Object.keys(fields)) {
    if (isField(key, fields, known) || fields[key] === undefined) continue
    unknown ??= {}
    setOwn(unknown, cleanText(key, context), normalizeValue(fields[key], 0, context))
    if (context.rejection !== undefined) return EMPTY_ATTRIBUTES
  }
  return unknown === undefined ? attributes : { ...unknown, ...attributes }
}

function isField(key: string, fields: Fields, known: KnownFields): boolean {
  const name = known.get(key)
  if (name === undefined) return false
  return name === NO_SHORTHAND || !isPresent(fields[name])
}
