import type { DecodeLimits } from './decode-context.ts'

/** What a record may be; times are relative to the clock. */
export interface RecordLimits {
  readonly acceptPastDays: number
  readonly acceptFutureDays: number
  readonly maxRecordBytes: number
  readonly maxDepth: number
}

export const DEFAULT_RECORD_LIMITS: RecordLimits = {
  acceptPastDays: 30,
  acceptFutureDays: 1,
  maxRecordBytes: 1024 * 1024,
  maxDepth: 32,
}

const NANOS_PER_MS = 1_000_000n
const MS_PER_DAY = 86_400_000

/** The limits at a moment, in unix milliseconds. */
export function limitsAt(
  { acceptPastDays, acceptFutureDays, maxRecordBytes, maxDepth }: RecordLimits,
  nowMs: number,
): DecodeLimits {
  return {
    earliest: BigInt(nowMs - acceptPastDays * MS_PER_DAY) * NANOS_PER_MS,
    latest: BigInt(nowMs + acceptFutureDays * MS_PER_DAY) * NANOS_PER_MS,
    maxRecordBytes,
    maxDepth,
  }
}
