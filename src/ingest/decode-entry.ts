import { crc32 } from 'node:zlib'
import { mayHoldUnstorableText } from '../models/clean-text.ts'
import type { DeadLetter, PayloadForm } from '../models/dead-letter.ts'
import type { DecodeContext } from '../models/decode-context.ts'
import { parseJson } from '../models/json.ts'
import type { Rejection } from '../models/rejection.ts'
import { ENTRY_MAX_BYTES, ENTRY_MAX_RECORDS } from '../models/stream-entry.ts'
import type { DecodedEntry } from '../writers/batch.ts'
import type { DecodedRecords, RecordDecoder } from '../writers/record-decoder.ts'
import type { StreamEntry } from './stream-entries.ts'

const NANOS_PER_MS = 1_000_000n

/**
 * Decodes one entry in whichever form it came (DESIGN section 3): `json`, one record or an array of them; flat, any
 * other fields, all of them text. What cannot be decoded at all becomes one dead letter with record index -1.
 */
export function decodeEntry<T>(
  entry: StreamEntry,
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedEntry<T> {
  const { id, bytes } = entry
  const { records, recordIndexes, letters } = decodeRecords(entry, decoder, context)
  const decodeAgain = () => decodeRecords(entry, decoder, context)
  return { id, bytes, crc: fieldsCrc(entry.fields), records, recordIndexes, letters, decodeAgain }
}

function decodeRecords<T>(
  entry: StreamEntry,
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  context.defaultTimeUnixNano = entry.id.ms * NANOS_PER_MS
  context.entryBytes = entry.bytes
  return decodeFields(entry, decoder, context)
}

function decodeFields<T>(
  { fields, bytes }: StreamEntry,
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  const [name, value] = fields
  if (bytes > ENTRY_MAX_BYTES) {
    const detail = `an entry must have at most ${ENTRY_MAX_BYTES} bytes, not ${bytes}`
    return refused({ reason: 'too_large', detail }, 'entry', encodeResp(fields))
  }
  if (fields.length === 2 && isWord(name, 'json') && value !== undefined) {
    return decodeJson(value, decoder, context)
  }
  for (let index = 0; index < fields.length; index += 2) {
    if (!isWord(fields[index], 'json') && !isWord(fields[index], 'otlp')) continue
    const field = fields[index]?.toString('latin1')
    const detail =
      fields.length === 2
        ? `this version does not read entries of the form ${field}`
        : `the field ${field} must stand alone in its entry, without other fields`
    return refused({ reason: 'unknown_form', detail }, 'entry', encodeResp(fields))
  }
  return decodeFlat(fields, decoder, context)
}

function decodeJson<T>(value: Buffer, decoder: RecordDecoder<T>, context: DecodeContext): DecodedRecords<T> {
  context.flat = false
  context.suspicious = false
  const scanned = decoder.scan(value)
  if (scanned !== undefined) return decodeInputs(value, scanned, decoder, context)
  const text = value.toString('utf8')
  const parsed = parseJson(text)
  if (parsed.rejection !== undefined) return refused(parsed.rejection, 'json', value)
  context.suspicious = mayHoldUnstorableText(text)
  const isList = Array.isArray(parsed.value)
  const inputs = { records: isList ? (parsed.value as readonly unknown[]) : [parsed.value], isList }
  return decodeInputs(value, inputs, decoder, context)
}

function decodeInputs<T>(
  value: Buffer,
  inputs: { readonly records: readonly unknown[]; readonly isList: boolean },
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  if (inputs.records.length > ENTRY_MAX_RECORDS) {
    const detail = `an entry must have at most ${ENTRY_MAX_RECORDS} records, not ${inputs.records.length}`
    return refused({ reason: 'too_large', detail }, 'json', value)
  }
  const { records, recordIndexes, letters } = decoder.decodeAll(inputs.records, context)
  if (inputs.isList) return { records, recordIndexes, letters }
  // A record that is alone is kept as it came.
  return { records, recordIndexes, letters: letters.map((letter) => ({ ...letter, payload: value })) }
}

function decodeFlat<T>(
  fields: readonly Buffer[],
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  context.flat = true
  context.suspicious = false
  const record: [string, string][] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]?.toString('utf8') ?? ''
    const value = fields[index + 1]?.toString('utf8') ?? ''
    context.suspicious ||= mayHoldUnstorableText(name) || mayHoldUnstorableText(value)
    record.push([name, value])
  }
  const { records, recordIndexes, letters } = decoder.decodeAll([Object.fromEntries(record)], context)
  const whole = letters.map((letter) => ({
    ...letter,
    payloadForm: 'entry' as const,
    payload: encodeResp(fields),
  }))
  return { records, recordIndexes, letters: whole }
}

function refused<T>(rejection: Rejection, payloadForm: PayloadForm, payload: Buffer): DecodedRecords<T> {
  const letter: DeadLetter = { ...rejection, recordIndex: -1, sqlState: undefined, payloadForm, payload }
  return { records: [], recordIndexes: [], letters: [letter] }
}

function isWord(field: Buffer | undefined, word: string): boolean {
  return field !== undefined && field.length === word.length && field.toString('latin1') === word
}

/** crc32 over names and values, each with its length mixed in, so that "ab","c" differs from "a","bc". */
export function fieldsCrc(fields: readonly Buffer[]): number {
  let crc = fields.length
  for (const field of fields) crc = crc32(field, (crc + field.length) >>> 0)
  return crc
}

/** The fields as a RESP array of bulk strings: any bytes survive, and a person can still read it. */
function encodeResp(fields: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${fields.length}\r\n`)]
  const end = Buffer.from('\r\n')
  for (const field of fields) parts.push(Buffer.from(`$${field.length}\r\n`), field, end)
  return Buffer.concat(parts)
}
