import { mayHoldUnstorableText } from '../models/clean-text.ts'
import type { StoredLetter } from '../models/dead-letter.ts'
import type { DecodeContext } from '../models/decode-context.ts'
import { parseJson } from '../models/json.ts'
import { parseResp } from '../models/parse-resp.ts'
import type { Rejection } from '../models/rejection.ts'
import type { DecodedEntry } from '../writers/batch.ts'
import type { RecordDecoder } from '../writers/record-decoder.ts'
import { decodeEntry } from './decode-entry.ts'
import { bytesOfFields } from './stream-entries.ts'

const NANOS_PER_MS = 1_000_000n

/**
 * Decodes what a dead letter holds as ingest would, now and with the limits of now: its records, and again letters for what is refused. Each has
 * the index in its entry that it had.
 */
export function decodeLetter<T>(
  letter: StoredLetter,
  decoder: RecordDecoder<T>,
  nowMs: number,
): DecodedEntry<T> {
  const { payload, payloadForm, entryId: id } = letter
  if (payload === undefined) {
    return refusedWhole(letter, {
      reason: letter.reason,
      detail: 'its payload was not kept',
    })
  }
  const context = contextOf(letter, decoder, nowMs)
  if (payloadForm === 'record') return decodeRecord(letter, payload, { decoder, context })
  const fields = payloadForm === 'json' ? [Buffer.from('json'), payload] : parseResp(payload)
  if (fields === undefined) {
    return refusedWhole(letter, {
      reason: 'unknown_form',
      detail: 'the payload is no RESP array of bulk strings',
    })
  }
  return decodeEntry({ id, fields, bytes: bytesOfFields(fields) }, decoder, context)
}

/**
 * A letter that was refused for its time is judged by the clock as it is now, but one that was refused for anything else keeps the past it was accepted
 * with: waiting must not lose it.
 */
function contextOf<T>(letter: StoredLetter, decoder: RecordDecoder<T>, nowMs: number): DecodeContext {
  const context = decoder.context(nowMs)
  if (letter.reason === 'time_out_of_window') return context
  const { earliest } = decoder.context(Math.min(nowMs, letter.deadLetteredAtMs)).limits
  return { ...context, limits: { ...context.limits, earliest } }
}

/** One record as JSON, as an element of an array would be: an array here is no list of records. */
function decodeRecord<T>(
  letter: StoredLetter,
  payload: Buffer,
  { decoder, context }: { readonly decoder: RecordDecoder<T>; readonly context: DecodeContext },
): DecodedEntry<T> {
  const text = payload.toString('utf8')
  const parsed = parseJson(text)
  if (parsed.rejection !== undefined) return refusedWhole(letter, parsed.rejection)
  context.defaultTimeUnixNano = letter.entryId.ms * NANOS_PER_MS
  context.entryBytes = payload.length
  context.flat = false
  context.suspicious = mayHoldUnstorableText(text)
  const { records, letters } = decoder.decodeAll([parsed.value], context)
  const { recordIndex } = letter
  return {
    ...entryOf(letter),
    records,
    recordIndexes: records.map(() => recordIndex),
    letters: decoder.privateLetters(letters, context).map((refused) => ({ ...refused, recordIndex })),
  }
}

/** Nothing of it can be decoded. */
export function refusedWhole<T>(letter: StoredLetter, rejection: Rejection): DecodedEntry<T> {
  const { recordIndex, payloadForm } = letter
  const payload = letter.payload ?? Buffer.alloc(0)
  return {
    ...entryOf(letter),
    records: [],
    recordIndexes: [],
    letters: [{ ...rejection, recordIndex, payloadForm, payload, sqlState: undefined }],
  }
}

/** The ledger has the entry already, so its crc is of no use here. */
function entryOf({ entryId: id, payload }: StoredLetter): Pick<DecodedEntry<never>, 'id' | 'crc' | 'bytes'> {
  return { id, crc: 0, bytes: payload?.length ?? 0 }
}
