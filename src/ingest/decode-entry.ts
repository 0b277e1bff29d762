import { crc32 } from 'node:zlib'
import { mayHoldUnstorableText } from '../models/clean-text.ts'
import type { DeadLetter, PayloadForm } from '../models/dead-letter.ts'
import type { DecodeContext } from '../models/decode-context.ts'
import { encodeResp } from '../models/encode-resp.ts'
import { parseJson } from '../models/json.ts'
import { readOtlpRequest } from '../models/otlp/read-request.ts'
import type { Rejection } from '../models/rejection.ts'
import type { ScannedRecord } from '../models/scan/scanned-record.ts'
import { ENTRY_MAX_BYTES, ENTRY_MAX_RECORDS } from '../models/stream-entry.ts'
import type { DecodedEntry, EntryOrigin } from '../writers/batch.ts'
import type { DecodedRecords, RecordDecoder } from '../writers/record-decoder.ts'
import type { StreamEntry } from './stream-entries.ts'

const NANOS_PER_MS = 1_000_000n

/**
 * Decodes one entry in whichever form it came (DESIGN section 3): `json`, one record or an array of them; `otlp`, an export request; flat, any
 * other fields, all of them text. What cannot be decoded at all becomes one dead letter with record index -1.
 */
export function decodeEntry<T>(
  entry: StreamEntry,
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedEntry<T> {
  const { id, bytes, fields } = entry
  begin(entry, context)
  const decoded = scanJson(fields, decoder, context) ?? decodeFields(entry, decoder, context)
  const { records, recordIndexes } = decoded
  const letters = decoder.privateLetters(decoded.letters, context)
  const origin = new EntryAsRead(entry, decoder, context)
  return { id, bytes, crc: fieldsCrc(fields), records, recordIndexes, letters, origin }
}

/** All that is kept of an entry until its batch is committed, tens of thousands a second: small, and no closure. */
class EntryAsRead<T> implements EntryOrigin<T> {
  readonly #entry: StreamEntry
  readonly #decoder: RecordDecoder<T>
  readonly #context: DecodeContext

  constructor(entry: StreamEntry, decoder: RecordDecoder<T>, context: DecodeContext) {
    this.#entry = entry
    this.#decoder = decoder
    this.#context = context
  }

  decodeAgain(): DecodedRecords<T> {
    return decodeWhole(this.#entry, this.#decoder, this.#context)
  }
}

/** Decodes one entry as {@link decodeEntry} does, every record of it word for word. */
export function decodeWhole<T>(
  entry: StreamEntry,
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  begin(entry, context)
  return decodeFields(entry, decoder, context)
}

function begin({ id, bytes }: StreamEntry, context: DecodeContext): void {
  context.defaultTimeUnixNano = id.ms * NANOS_PER_MS
  context.entryBytes = bytes
}

/** The records of an entry of JSON, without parsing those of the usual form; undefined where all of it is to be parsed. */
function scanJson<T>(
  fields: readonly Buffer[],
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T | ScannedRecord> | undefined {
  const [name, value] = fields
  if (fields.length !== 2 || !isWord(name, 'json') || value === undefined) return undefined
  context.flat = false
  context.suspicious = false
  const scanned = decoder.scan(value, context)
  if (scanned === undefined || scanned.records.length > ENTRY_MAX_RECORDS) return undefined
  const decoded = decoder.decodeScanned(scanned, context)
  return scanned.isList ? decoded : keptAsItCame(decoded, value)
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
  if (fields.length === 2 && value !== undefined) {
    if (isWord(name, 'json')) return decodeJson(value, decoder, context)
    if (isWord(name, 'otlp')) return decodeOtlp(fields, decoder, context)
  }
  for (let index = 0; index < fields.length; index += 2) {
    if (!isWord(fields[index], 'json') && !isWord(fields[index], 'otlp')) continue
    const field = fields[index]?.toString('latin1')
    const detail = `the field ${field} must stand alone in its entry, without other fields`
    return refused({ reason: 'unknown_form', detail }, 'entry', encodeResp(fields))
  }
  return decodeFlat(fields, decoder, context)
}

function decodeJson<T>(value: Buffer, decoder: RecordDecoder<T>, context: DecodeContext): DecodedRecords<T> {
  const text = value.toString('utf8')
  const parsed = parseJson(text)
  if (parsed.rejection !== undefined) return refused(parsed.rejection, 'json', value)
  context.flat = false
  context.suspicious = mayHoldUnstorableText(text)
  if (Array.isArray(parsed.value)) {
    if (parsed.value.length <= ENTRY_MAX_RECORDS) return decoder.decodeAll(parsed.value, context)
    const detail = `an entry must have at most ${ENTRY_MAX_RECORDS} records, not ${parsed.value.length}`
    return refused({ reason: 'too_large', detail }, 'json', value)
  }
  return keptAsItCame(decoder.decodeAll([parsed.value], context), value)
}

/** An export request of OTLP, protobuf or JSON. */
function decodeOtlp<T>(
  fields: readonly Buffer[],
  decoder: RecordDecoder<T>,
  context: DecodeContext,
): DecodedRecords<T> {
  const [, value = EMPTY] = fields
  const request = readOtlpRequest(value, decoder.signal)
  if (request.rejection !== undefined) return refused(request.rejection, 'entry', encodeResp(fields))
  if (request.records.length > ENTRY_MAX_RECORDS) {
    const detail = `an entry must have at most ${ENTRY_MAX_RECORDS} records, not ${request.records.length}`
    return refused({ reason: 'too_large', detail }, 'entry', encodeResp(fields))
  }
  context.flat = false
  context.suspicious = request.suspicious
  context.cleaned += request.cleaned
  return decoder.decodeAll(request.records, context)
}

const EMPTY = Buffer.alloc(0)

/** The payload of a record that is alone is what came, byte by byte. */
function keptAsItCame<T>(decoded: DecodedRecords<T>, payload: Buffer): DecodedRecords<T> {
  if (decoded.letters.length === 0) return decoded
  return { ...decoded, letters: decoded.letters.map((letter) => ({ ...letter, payload })) }
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
  if (field === undefined || field.length !== word.length) return false
  for (let index = 0; index < word.length; index += 1)
    if (field[index] !== word.charCodeAt(index)) return false
  return true
}

/** What {@link fieldsCrc} has come to after the name of an entry of JSON. */
const JSON_NAME_CRC = crc32('json', 2 + 'json'.length)

/** crc32 over names and values, each with its length mixed in, so that "ab","c" differs from "a","bc". */
export function fieldsCrc(fields: readonly Buffer[]): number {
  const [name, value] = fields
  if (fields.length === 2 && value !== undefined && isWord(name, 'json')) {
    return crc32(value, (JSON_NAME_CRC + value.length) >>> 0)
  }
  let crc = fields.length
  for (const field of fields) crc = crc32(field, (crc + field.length) >>> 0)
  return crc
}
