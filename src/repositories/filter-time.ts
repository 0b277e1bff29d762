import { decodeTime, inRange } from '../models/decode-time.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const NANOS_PER_MS = 1_000_000n
const DATE = /^\d{4}-\d\d-\d\d$/

/**
 * A time as filters take it: RFC 3339, a date, which is its midnight in UTC, unix (seconds to nanoseconds, told apart by magnitude), or relative to
 * now: `-15m`, with the units s, m, h, d and w.
 *
 * @returns unix nanoseconds, or undefined when it is none of these.
 */
export function parseFilterTime(text: string, nowMs: number): bigint | undefined {
  const relative = /^-(\d{1,9})([smhdw])$/.exec(text)
  if (relative === null) return decodeTime(DATE.test(text) ? `${text}T00:00:00Z` : text)
  const [, amount = '', unit = ''] = relative
  return inRange(BigInt(nowMs - Number(amount) * (UNIT_MS[unit] ?? 0)) * NANOS_PER_MS)
}
