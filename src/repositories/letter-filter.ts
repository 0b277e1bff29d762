import type { RejectionReason } from '../models/rejection.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { microseconds } from './filter.ts'

/** Which dead letters are asked for. Every condition given must hold. */
export interface LetterFilter {
  /** UUIDs, in any of PostgreSQL's spellings. */
  readonly ids?: readonly string[]
  readonly reason?: RejectionReason
  readonly telemetrySignal?: TelemetrySignal
  /** When it was dead-lettered, in unix nanoseconds: inclusive. */
  readonly from?: bigint
  /** Exclusive. */
  readonly to?: bigint
  /** Purged ones are left out unless asked for. */
  readonly withPurged?: boolean
}

/** A filter as the conditions of a WHERE on `dead_letters`, values by parameters. */
export function letterConditions(filter: LetterFilter): { conditions: string; values: unknown[] } {
  const values: unknown[] = []
  const conditions: string[] = []
  const add = (condition: (parameter: string) => string, value: unknown) => {
    if (value === undefined) return
    values.push(value)
    conditions.push(condition(`$${values.length}`))
  }
  add((p) => `letter_id = any(${p}::uuid[])`, filter.ids)
  add((p) => `reason = ${p}`, filter.reason)
  add((p) => `signal = ${p}`, filter.telemetrySignal)
  add((p) => `dead_lettered_at >= ${p}::timestamptz`, wholeMicroseconds(filter.from))
  add((p) => `dead_lettered_at < ${p}::timestamptz`, wholeMicroseconds(filter.to))
  if (filter.withPurged !== true) conditions.push('purged_at is null')
  return { conditions: conditions.length === 0 ? 'true' : conditions.join(' and '), values }
}

/** Letters have microseconds: rounded up, `>=` and `<` mean the same as with nanoseconds. */
function wholeMicroseconds(unixNano: bigint | undefined): string | undefined {
  return unixNano === undefined ? undefined : microseconds(unixNano + 999n)
}
