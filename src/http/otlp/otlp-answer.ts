import type { OtlpEncoding } from '../../models/otlp/read-request.ts'
import { delimitedField, varintField } from '../../models/otlp/wire-writer.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/** What became of the records of a request that was taken. */
export interface ExportOutcome {
  readonly rejected: number
  /** Why; undefined where none was rejected. */
  readonly message: string | undefined
}

const REJECTED: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
  logs: 'rejectedLogRecords',
}

/** `google.rpc.Code` by HTTP status. */
const RPC_CODES: Readonly<Record<number, number>> = {
  400: 3, // INVALID_ARGUMENT
  413: 8, // RESOURCE_EXHAUSTED
  415: 3,
  503: 14, // UNAVAILABLE
}
const UNKNOWN = 2

/** `Export{Trace,Metrics,Logs}ServiceResponse`: empty, or with a partial success. Source: OTLP 1.11, "Partial Success". */
export function exportResponse(
  encoding: OtlpEncoding,
  signal: TelemetrySignal,
  { rejected, message }: ExportOutcome,
): Buffer {
  if (message === undefined) return Buffer.from(encoding === 'json' ? '{}' : '')
  if (encoding === 'json') {
    const partialSuccess = { [REJECTED[signal]]: String(rejected), errorMessage: message }
    return Buffer.from(JSON.stringify({ partialSuccess }))
  }
  return delimitedField(1, [varintField(1, rejected), delimitedField(2, [Buffer.from(message)])])
}

/** `google.rpc.Status` of a request that was not taken, in the encoding of the request. Source: OTLP 1.11, "Failures". */
export function rpcStatus(encoding: OtlpEncoding, httpStatus: number, message: string): Buffer {
  const code = RPC_CODES[httpStatus] ?? UNKNOWN
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }))
  return Buffer.concat([varintField(1, code), delimitedField(2, [Buffer.from(message)])])
}
