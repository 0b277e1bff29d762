import type { RecordLimits } from '../models/record-limits.ts'
import type { Settings } from '../settings.ts'

/** What of the settings records are held against. */
export function recordLimitsOf(settings: Settings): RecordLimits {
  return {
    acceptPastDays: settings.acceptPastDays,
    acceptFutureDays: settings.acceptFutureDays,
    maxRecordBytes: settings.recordMaxBytes,
    maxDepth: settings.recordMaxDepth,
  }
}
