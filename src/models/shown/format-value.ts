const UNITS = [
  ['ns', 1],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
] as const
const NANOS_PER_SECOND = 1e9

/** A duration in nanoseconds with three digits: `830 ms`, `2.31 s`; past a minute `1m 05s`, `2h 05m`, `3d 04h`. */
export function formatNanos(nanos: number | bigint): string {
  const value = Number(nanos)
  const seconds = Math.round(value / NANOS_PER_SECOND)
  if (seconds >= 60) return formatLong(seconds)
  for (const [unit, size] of UNITS) {
    const digits = size === 1 ? String(Math.round(value)) : (value / size).toPrecision(3)
    if (Number(digits) < 1000) return `${digits} ${unit}`
  }
  return `${seconds} s`
}

function formatLong(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const [minutes, hours, days] = [seconds / 60, seconds / 3600, seconds / 86_400].map(Math.floor)
  if (days) return `${days}d ${two((seconds % 86_400) / 3600)}h`
  if (hours) return `${hours}h ${two((seconds % 3600) / 60)}m`
  return `${minutes}m ${two(seconds % 60)}s`
}

/** US dollars, a small amount with three digits: `$1,234.50`, `$0.00021`. */
export function formatCost(dollars: number): string {
  const digits =
    dollars !== 0 && Math.abs(dollars) < 1
      ? { maximumSignificantDigits: 3 }
      : { minimumFractionDigits: 2, maximumFractionDigits: 2 }
  return `$${dollars.toLocaleString('en-US', digits)}`
}
