/** What JSON can hold, with integers that a number cannot hold exactly as bigint. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/** Only text with so many digits in a row takes the slow way. */
const LONG_NUMBER = /\d{16}/
const INTEGER = /^-?\d+$/

/** Reads JSON. Ids in attributes may be integers past 2^53, of which plain `JSON.parse` loses digits. */
export function parseJson(text: string): JsonValue {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as JsonValue
  const reviver = (_name: string, value: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    // Browsers that do not tell the source show what the number holds.
    return context?.source !== undefined && INTEGER.test(context.source) ? BigInt(context.source) : value
  }
  return JSON.parse(text, reviver) as JsonValue
}

/** JSON text to be read by a person. @param indent 0 is one line. */
export function jsonText(value: JsonValue | undefined, indent = 0): string {
  if (value === undefined) return ''
  // Between marks that no text has, for `JSON.stringify` takes no bigint.
  const mark = '\u0000bigint:'
  const text = JSON.stringify(
    value,
    (_, each) => (typeof each === 'bigint' ? `${mark}${each}` : each),
    indent,
  )
  return text.replaceAll(/"\\u0000bigint:(-?\d+)"/g, '$1')
}

/** A value as a line: text as it is, anything else as JSON. */
export function valueText(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : jsonText(value)
}
