export { formatCost, formatNanos } from '../../models/shown/format-value.ts'

/** Unix nanoseconds as RFC 3339 in UTC, which filters take: `2026-11-26T04:38:51.123Z`. */
export function formatTime(unixNano: string): string {
  return new Date(Number(BigInt(unixNano) / 1_000_000n)).toISOString()
}
