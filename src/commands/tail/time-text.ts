export interface TimeOptions {
  /** In UTC, else in the time zone of this machine. */
  readonly utc: boolean
  /** Unix milliseconds; of another day than this the date is shown, too. */
  readonly nowMs: number
}

/** A time of day as a person reads it, `15:04:05.123`; in UTC it ends in `Z`; of another day `2026-11-26 15:04:05.123`. */
export function timeText(unixNano: string, { utc, nowMs }: TimeOptions): string {
  const [date, time] = partsOf(Number(BigInt(unixNano) / 1_000_000n), utc)
  const [today] = partsOf(nowMs, utc)
  return `${date === today ? '' : `${date} `}${time}${utc ? 'Z' : ''}`
}

/** The date and the time of day. */
function partsOf(ms: number, utc: boolean): readonly [string, string] {
  // A local time is written as the time in UTC that reads the same.
  const shift = utc ? 0 : new Date(ms).getTimezoneOffset() * 60_000
  const [date = '', time = ''] = new Date(ms - shift).toISOString().split('T')
  return [date, time.replace('Z', '')]
}
