/**
 * An attribute value in normal form: what is stored, compared and given back. Integers past 2^53 are
 * `bigint`; NaN and the infinities are the strings of OTLP's JSON ("NaN", "Infinity", "-Infinity");
 * bytes are `{ bytesValue: base64 }`.
 */
export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue }

/** Attributes of a span, log record, data point, resource or scope, by key. */
export type Attributes = Readonly<Record<string, AttributeValue>>
