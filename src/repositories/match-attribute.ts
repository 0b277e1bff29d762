import { isJsonLiteral } from '../models/attribute-forms.ts'
import type { Attributes, AttributeValue } from '../models/attributes.ts'
import { decimalText } from '../models/decimal-text.ts'

/** The condition of a filter on one attribute, as `@>` of jsonb has it: the attribute is this text, or the number, truth or null that the text is in JSON. */
export function attributeMatcher(key: string, text: string): (attributes: Attributes) => boolean {
  const literal = isJsonLiteral(text) ? literalOf(text) : undefined
  // What every object inherits is no text, number, truth or null: whether the key is the record's own need not be asked.
  if (literal === undefined) return (attributes) => attributes[key] === text
  return (attributes) => {
    const value = attributes[key]
    return value === text || value === literal
  }
}

/** What no attribute in normal form is, is undefined. */
function literalOf(text: string): AttributeValue | undefined {
  if (text === 'true' || text === 'false') return text === 'true'
  return text === 'null' ? null : numberOf(text)
}

/** 42.0 is 42, as for numeric. With more digits than a double keeps it is a number that no attribute can be. */
function numberOf(text: string): number | bigint | undefined {
  const [whole = '', fraction = ''] = text.split('.')
  if (/^0*$/.test(fraction)) {
    const integer = BigInt(whole)
    const number = Number(integer)
    return Number.isSafeInteger(number) ? number : integer
  }
  const number = Number(text)
  const digits = text.replace('-', '')
  return decimalText(Math.abs(number)) === decimalText(digits) ? number : undefined
}
