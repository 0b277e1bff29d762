import { mayHoldUnstorableText } from '../clean-text.ts'
import { parseJson } from '../json.ts'
import type { Rejection } from '../rejection.ts'
import { isWhite, OPEN_BRACE } from '../scan/json-scanner.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { REQUEST_MESSAGES } from './otlp-messages.ts'
import { readMessage } from './read-message.ts'
import { requestRecords } from './request-records.ts'
import { WireReader } from './wire-reader.ts'

/** What an export request holds, or why it is refused as a whole. */
export type OtlpRequest =
  | {
      readonly records: readonly unknown[]
      /** Whether a string may hold what PostgreSQL cannot store: see `DecodeContext`. */
      readonly suspicious: boolean
      /** Texts that were no UTF-8 and have been mended. */
      readonly cleaned: number
      readonly rejection?: undefined
    }
  | { readonly records?: undefined; readonly rejection: Rejection }

/** How an export request is encoded. */
export type OtlpEncoding = 'protobuf' | 'json'

/**
 * Tells the encodings apart. JSON begins with a brace, which no message of protobuf does. White space before it begins one, too: then it is JSON where it is no
 * protobuf.
 */
export function encodingOf(bytes: Buffer, signal: TelemetrySignal): OtlpEncoding {
  let at = 0
  while (at < bytes.length && isWhite(bytes[at] as number)) at += 1
  if (bytes[at] !== OPEN_BRACE) return 'protobuf'
  return at > 0 && readProtobuf(bytes, signal).problem === undefined ? 'protobuf' : 'json'
}

/** The records of an `Export{Trace,Metrics,Logs}ServiceRequest`, protobuf or JSON, as the decoders of records take them. */
export function readOtlpRequest(
  bytes: Buffer,
  signal: TelemetrySignal,
  encoding: OtlpEncoding = encodingOf(bytes, signal),
): OtlpRequest {
  if (encoding === 'json') return readJson(bytes.toString('utf8'), signal)
  const { message, reader } = readProtobuf(bytes, signal)
  if (reader.problem !== undefined) return { rejection: reader.problem }
  const { records, rejection } = requestRecords(message, signal)
  if (rejection !== undefined) return { rejection }
  return { records, suspicious: reader.hasNul, cleaned: reader.cleaned }
}

function readJson(text: string, signal: TelemetrySignal): OtlpRequest {
  const parsed = parseJson(text)
  if (parsed.rejection !== undefined) return { rejection: parsed.rejection }
  const { records, rejection } = requestRecords(parsed.value, signal)
  if (rejection !== undefined) return { rejection }
  return { records, suspicious: mayHoldUnstorableText(text), cleaned: 0 }
}

function readProtobuf(bytes: Buffer, signal: TelemetrySignal) {
  const reader = new WireReader(bytes)
  const message = readMessage(reader, REQUEST_MESSAGES[signal])
  return { message, reader, problem: reader.problem }
}
