import type { AttributeValue } from '../../models/attributes.ts'
import { stringifyJson } from '../../models/json.ts'
import { escapeAsJson } from './json-line.ts'

/** What cannot stand in a value without quotes. */
const NEEDS_QUOTES = /[\s"=\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^$/u
const NOT_IN_KEYS = /[\s"=\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * `key=value`, safe for a terminal: a value is quoted, as JSON quotes, where blanks or the like make that necessary.
 *
 * @param maxLength characters of the value that are shown; what is cut ends in `…`. All by default.
 */
export function logfmtPair(key: string, value: AttributeValue, maxLength = Number.POSITIVE_INFINITY): string {
  return `${key.toWellFormed().replaceAll(NOT_IN_KEYS, '_')}=${logfmtValue(value, maxLength)}`
}

function logfmtValue(value: AttributeValue, maxLength: number): string {
  const whole = typeof value === 'string' ? value : stringifyJson(value)
  const text = whole.length > maxLength ? `${whole.slice(0, maxLength)}…` : whole
  return NEEDS_QUOTES.test(text) ? escapeAsJson(JSON.stringify(text)) : text.toWellFormed()
}
