import type { RecordBySignal } from '../decode-record.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { dataPointJson } from './data-point-json.ts'
import { logRecordJson } from './log-record-json.ts'
import { spanJson } from './span-json.ts'

/**
 * Writes a record of each signal as one line of JSON, in the shape of the wire contract: what the API gives when it has been stored, which PostgreSQL writes. Members may be in another
 * order, and numbers written otherwise (1e-7 for 0.0000001): they say the same.
 */
export const WIRE_JSON: { readonly [S in TelemetrySignal]: (record: RecordBySignal[S]) => string } = {
  traces: spanJson,
  metrics: dataPointJson,
  logs: logRecordJson,
}
