import { parse as parseLossless, stringify as stringifyLossless } from 'lossless-json'
import type { AttributeValue } from './attributes.ts'
import type { Rejection } from './rejection.ts'

/** What JSON text holds, or why it holds nothing. Integers past 2^53 are `bigint`. */
export type ParsedJson =
  | { readonly value: unknown; readonly rejection?: undefined }
  | { readonly value?: undefined; readonly rejection: Rejection }

/**
 * Sixteen digits in a row that no quote precedes: the shortest integer past 2^53 has sixteen. Text in
 * which it is found, be it in a string, only takes the slower way.
 */
const LONG_INTEGER = /[:,[\s-]\d{16}/
const INTEGER = /^-?\d+$/

/** Longer integers are kept as text: their conversion would cost more than linear time. */
const MAX_INTEGER_DIGITS = 1_000

/** Levels the recursive parser is trusted with: 2 small stack frames each. `JSON.parse` itself needs none. */
const MAX_NESTING = 1_000

const NOT_JSON: ParsedJson = { rejection: { reason: 'not_json', detail: 'the text is not valid JSON' } }
const TOO_DEEP: ParsedJson = {
  rejection: { reason: 'too_deep', detail: `the JSON nests deeper than ${MAX_NESTING} levels` },
}

/**
 * Parses JSON without losing digits of integers. Of a repeated key the last one counts, and `__proto__`
 * is a key like any other. Floats are doubles, as everywhere.
 */
export function parseJson(text: string): ParsedJson {
  try {
    if (!LONG_INTEGER.test(text) && !startsWithDigit(text)) return { value: JSON.parse(text) }
    if (nestsTooDeep(text)) return TOO_DEEP
    const value = parseLossless(text, null, {
      parseNumber: parseExactNumber,
      onDuplicateKey: ({ newValue }) => newValue,
    })
    return { value }
  } catch {
    return NOT_JSON
  }
}

/** Whether a text may be an object or a list of JSON. */
export function looksLikeJson(text: string): boolean {
  return BEGINS_AS_JSON.test(text)
}

const BEGINS_AS_JSON = /^\s*[[{]/

/** A whole text that is one number: nothing stands before its digits. */
function startsWithDigit(text: string): boolean {
  const code = text.charCodeAt(0)
  return code >= 0x30 && code <= 0x39
}

/** A JSON number: a double, or a `bigint` where it is an integer past 2^53; past a thousand digits the text. */
export function parseExactNumber(text: string): number | bigint | string {
  const value = Number(text)
  if (Number.isSafeInteger(value) || !INTEGER.test(text)) return value
  return text.length > MAX_INTEGER_DIGITS ? text : BigInt(text)
}

/** Counts brackets outside strings. Malformed text may give any answer: the parser refuses it after. */
function nestsTooDeep(text: string): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > MAX_NESTING) return true
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** In JSON text: an escape that jsonb refuses, or any other one (consumed so that `\\\\u0000` is left alone). */
const ESCAPE = /\\(?:u(?:0000|d[89a-f][0-9a-f]{2})|.)/g

/**
 * Writes a value in normal form as JSON that PostgreSQL's jsonb takes: integers exact, no `\u0000`, no
 * lone surrogate.
 */
export function stringifyJson(value: AttributeValue): string {
  const text = stringifyExact(value)
  // JSON.stringify escapes by \u only control characters and lone surrogates.
  return text.includes('\\u') ? text.replace(ESCAPE, storableEscape) : text
}

function stringifyExact(value: AttributeValue): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    // "Do not know how to serialize a BigInt" is the only TypeError that normal form can give.
    if (!(error instanceof TypeError)) throw error
    return stringifyLossless(value) ?? 'null'
  }
}

function storableEscape(sequence: string): string {
  return sequence.startsWith('\\u0000') || sequence.startsWith('\\ud') ? '\\ufffd' : sequence
}
