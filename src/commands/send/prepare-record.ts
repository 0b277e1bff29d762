import { createDecodeContext, type DecodeContext } from '../../models/decode-context.ts'
import { isPresent } from '../../models/decode-fields.ts'
import { RECORD_DECODERS } from '../../models/decode-record.ts'
import type { Rejection } from '../../models/rejection.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { RandomIds } from './random-ids.ts'
import { shiftTimes } from './shift-times.ts'

/** What the ingest of these records will accept: the settings of the same names. */
export interface AcceptedRecords {
  readonly acceptPastDays: number
  readonly acceptFutureDays: number
  readonly recordMaxBytes: number
  readonly recordMaxDepth: number
}

export interface PreparationOptions {
  readonly telemetrySignal: TelemetrySignal
  /** Added to all times; undefined leaves them. */
  readonly shiftByNanos: bigint | undefined
  /** Undefined sends records unseen. */
  readonly accepted: AcceptedRecords | undefined
  readonly now: () => Date
}

const NANOS_PER_MS = 1_000_000n
const MS_PER_DAY = 86_400_000

/** Makes the last step before a record is sent: ids and times completed in place, then looked at as ingest will. */
export function createPreparation(
  options: PreparationOptions,
): (record: Record<string, unknown>) => Rejection | undefined {
  const { telemetrySignal, shiftByNanos, accepted, now } = options
  const decode = RECORD_DECODERS[telemetrySignal]
  const ids = new RandomIds()
  return (record) => {
    if (telemetrySignal === 'traces') completeIds(record, ids)
    if (shiftByNanos !== undefined) shiftTimes(telemetrySignal, record, shiftByNanos)
    if (accepted === undefined) return undefined
    return decode(record, contextAt(now(), accepted)).rejection
  }
}

/** A span cannot do without; a log record can. */
function completeIds(record: Record<string, unknown>, ids: RandomIds): void {
  if (!isPresent(record.traceId)) record.traceId = ids.next(16)
  if (!isPresent(record.spanId)) record.spanId = ids.next(8)
}

/** The window moves with the clock: standard input may go on for days. */
function contextAt(time: Date, accepted: AcceptedRecords): DecodeContext {
  const nowMs = time.getTime()
  const context = createDecodeContext({
    earliest: BigInt(nowMs - accepted.acceptPastDays * MS_PER_DAY) * NANOS_PER_MS,
    latest: BigInt(nowMs + accepted.acceptFutureDays * MS_PER_DAY) * NANOS_PER_MS,
    maxRecordBytes: accepted.recordMaxBytes,
    maxDepth: accepted.recordMaxDepth,
  })
  context.defaultTimeUnixNano = BigInt(nowMs) * NANOS_PER_MS
  // Decoders measure the records of large entries only: this one does not know its entry yet.
  context.entryBytes = Number.POSITIVE_INFINITY
  return context
}
