import type { Attributes, AttributeValue } from '../attributes.ts'
import { createDecodeContext } from '../decode-context.ts'
import { parseJson, stringifyJson } from '../json.ts'
import { normalizeValue } from '../normalize-value.ts'

/** An object whose members are anything. */
export type LooseObject = Readonly<Record<string, AttributeValue>>

/** Attributes are bounded by ingest, JSON text inside them is not: what nests deeper stays text. */
const LIMITS = { earliest: 0n, latest: 0n, maxRecordBytes: 0, maxDepth: 64 }

export function isList(value: AttributeValue | undefined): value is readonly AttributeValue[] {
  return Array.isArray(value)
}

export function isObject(value: AttributeValue | undefined): value is LooseObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value in normal form, of bounded depth; undefined for what cannot be brought into it. */
export function normalForm(value: unknown): AttributeValue | undefined {
  const context = createDecodeContext(LIMITS)
  const normal = normalizeValue(value, 0, context)
  return context.rejection === undefined ? normal : undefined
}

/** The value of an attribute; undefined where it has none, or one that cannot be brought into normal form. */
export function readAttribute(attributes: Attributes, key: string): AttributeValue | undefined {
  return Object.hasOwn(attributes, key) ? normalForm(attributes[key]) : undefined
}

/** What JSON text holds; undefined for what is none, or nests too deep. */
export function parseText(text: string): AttributeValue | undefined {
  const { value } = parseJson(text)
  return value === undefined ? undefined : normalForm(value)
}

/**
 * A list or an object that came as JSON text, else the value itself. Text that is a number or a word of
 * JSON stays what somebody said.
 */
export function structured(value: AttributeValue | undefined): AttributeValue | undefined {
  if (typeof value !== 'string' || !/^\s*[[{"]/.test(value)) return value
  return parseText(value) ?? value
}

/** A value as somebody would read it: text as it is, the rest as JSON. */
export function readableText(value: AttributeValue): string {
  return typeof value === 'string' ? value : stringifyJson(value)
}

/** The first value that is text and not empty. */
export function firstText(...values: readonly (AttributeValue | undefined)[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}

/** The first value that says anything. */
export function firstValue(...values: readonly (AttributeValue | undefined)[]): AttributeValue | undefined {
  return values.find((value) => value !== undefined && value !== null && value !== '')
}
