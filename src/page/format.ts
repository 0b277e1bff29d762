/** `1,234,567` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 })
}

/** A number with three digits, for rates: `0`, `0.43`, `12.3`, `1,234`. */
export function formatRate(rate: number): string {
  return rate.toLocaleString(
    'en-US',
    rate >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
  )
}

/** The time of day at the reader's place, to the millisecond: `14:03:07.123`. */
export function formatClock(unixNano: string): string {
  return inPlace(unixNano).toISOString().slice(11, 23)
}

/** Date and time at the reader's place, and how far that is from UTC: `2026-11-26 14:03:07.123 +01:00`. */
export function formatDateTime(unixNano: string): string {
  const [date, clock = ''] = inPlace(unixNano).toISOString().split('T')
  const minutes = -dateOf(unixNano).getTimezoneOffset()
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, '0')
  return `${date} ${clock.slice(0, 12)} ${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`
}

/** The moment whose UTC reads as the clock does at the reader's place. */
function inPlace(unixNano: string): Date {
  const date = dateOf(unixNano)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
}

function dateOf(unixNano: string): Date {
  return new Date(Number(BigInt(unixNano) / 1_000_000n))
}
