import type { DataPoint } from './data-point.ts'
import type { DecodeContext } from './decode-context.ts'
import { decodeDataPoint } from './decode-data-point.ts'
import { decodeLogRecord } from './decode-log-record.ts'
import { decodeSpan } from './decode-span.ts'
import type { LogRecord } from './log-record.ts'
import type { Decoded } from './rejection.ts'
import type { Span } from './span.ts'
import type { TelemetrySignal } from './telemetry-signal.ts'

/** The record of each signal. */
export interface RecordBySignal {
  readonly traces: Span
  readonly metrics: DataPoint
  readonly logs: LogRecord
}

export type RecordDecoder<S extends TelemetrySignal> = (
  input: unknown,
  context: DecodeContext,
) => Decoded<RecordBySignal[S]>

/** The decoder of each signal: one loose record in, the strict record or its refusal out. */
export const RECORD_DECODERS: { readonly [S in TelemetrySignal]: RecordDecoder<S> } = {
  traces: decodeSpan,
  metrics: decodeDataPoint,
  logs: decodeLogRecord,
}
