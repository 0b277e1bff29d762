import { stringify as stringifyLossless } from 'lossless-json'
import { messageOf } from '../errors.ts'
import type { Decoded } from '../models/rejection.ts'

/** A record as it goes into an entry, and its size in UTF-8 bytes. */
export interface EncodedRecord {
  readonly json: string
  readonly bytes: number
}

/**
 * Writes a record as JSON without losing anything: a bigint stays exact, NaN and the infinities become the strings of
 * OTLP's JSON. Refused is what JSON cannot say (a cycle, a throwing `toJSON`) and what is over `maxBytes`.
 */
export function encodeRecord(record: unknown, maxBytes: number): Decoded<EncodedRecord> {
  if (record === null || typeof record !== 'object' || Array.isArray(record)) {
    return {
      rejection: { reason: 'wrong_type', detail: `a record must be an object, not ${nameOfType(record)}` },
    }
  }
  let json: string
  try {
    json = stringifyExact(record)
  } catch (error) {
    const detail = `the record cannot be written as JSON: ${messageOf(error)}`
    return { rejection: { reason: 'wrong_type', detail } }
  }
  const bytes = Buffer.byteLength(json)
  if (bytes > maxBytes) {
    const detail = `the record is ${bytes} bytes of JSON; an entry has room for ${maxBytes}`
    return { rejection: { reason: 'too_large', detail } }
  }
  return { record: { json, bytes } }
}

/** `JSON.stringify` is several times faster, but refuses a bigint and writes NaN as null: then the slow way decides. */
function stringifyExact(record: object): string {
  let json: string | undefined
  try {
    json = JSON.stringify(record)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  if (json !== undefined && !json.includes('null')) return json
  return stringifyLossless(record, (_key, value) => (isNonFinite(value) ? String(value) : value)) ?? 'null'
}

function isNonFinite(value: unknown): boolean {
  return typeof value === 'number' && !Number.isFinite(value)
}

function nameOfType(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
