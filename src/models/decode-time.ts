const NANOS_PER_SECOND = 1_000_000_000n

/** Nanoseconds are stored as `bigint` (int8): 1677-09-21 to 2262-04-11, well inside `timestamptz`. */
const MIN_UNIX_NANO = -(2n ** 63n)
const MAX_UNIX_NANO = 2n ** 63n - 1n

/** RFC 3339 (section 5.6), with a space for the T, and with the zone left out meaning UTC. */
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d{1,40}))?(?:[Zz]|([+-]\d\d(?::?\d\d)?))?$/
const DECIMAL = /^(-?)(\d{1,30})(?:\.(\d{1,40}))?$/
const INTEGER = /^-?\d{1,20}$/
const DIGIT_ZERO = 0x30
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Reads a time: an RFC 3339 string (any number of fraction digits, kept to the nanosecond), or a unix
 * time in seconds, milliseconds, microseconds or nanoseconds, told apart by {@link nanosPerUnit}, as a
 * number or as text. Gives unix nanoseconds, or undefined for what is no time or does not fit int64.
 */
export function decodeTime(value: unknown): bigint | undefined {
  if (typeof value === 'string') return decodeTimeText(value)
  if (typeof value === 'bigint') return inRange(value * nanosPerUnit(value))
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return decodeTime(BigInt(value))
    return Number.isFinite(value) ? decodeDecimal(String(value)) : undefined
  }
  if (value instanceof Date) return decodeTime(value.getTime() / 1000)
  return undefined
}

/** Reads unix nanoseconds and nothing else: an integer, or one as text. Undefined for anything else. */
export function decodeUnixNano(value: unknown): bigint | undefined {
  if (typeof value === 'string') return INTEGER.test(value) ? inRange(BigInt(value)) : undefined
  if (typeof value === 'bigint') return inRange(value)
  return Number.isInteger(value) ? inRange(BigInt(value as number)) : undefined
}

/** Nanoseconds, or undefined where they do not fit int64. */
export function inRange(nanos: bigint): bigint | undefined {
  return nanos >= MIN_UNIX_NANO && nanos <= MAX_UNIX_NANO ? nanos : undefined
}

/**
 * Seconds below 10^11 (the year 5138), milliseconds below 10^14, microseconds below 10^17. As
 * milliseconds the first bound is March 1973: earlier times have to be written as RFC 3339 or seconds.
 */
function nanosPerUnit(time: bigint): bigint {
  const magnitude = time < 0n ? -time : time
  if (magnitude < 100_000_000_000n) return NANOS_PER_SECOND
  if (magnitude < 100_000_000_000_000n) return 1_000_000n
  return magnitude < 100_000_000_000_000_000n ? 1_000n : 1n
}

function decodeTimeText(text: string): bigint | undefined {
  return text.charCodeAt(4) === 0x2d ? decodeDateTime(text) : decodeDecimal(text)
}

function decodeDecimal(text: string): bigint | undefined {
  const match = DECIMAL.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction] = match
  const units = BigInt(whole)
  const scale = nanosPerUnit(units)
  let nanos = units * scale
  if (fraction !== undefined) nanos += (BigInt(nineDigits(fraction)) * scale) / NANOS_PER_SECOND
  return inRange(sign === '-' ? -nanos : nanos)
}

function decodeDateTime(text: string): bigint | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2)
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)]
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)]
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined
  if (hour > 23 || minute > 59 || !isSecond(second, minute)) return undefined
  const offset = match[2] === undefined ? 0 : offsetSeconds(match[2])
  // Date.UTC reads the years 0 to 99 as 1900 to 1999; they do not fit int64 nanoseconds anyway.
  if (offset === undefined || year < 1000) return undefined
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - offset
  const fraction = match[1] === undefined ? 0 : nineDigits(match[1])
  return inRange(BigInt(seconds) * NANOS_PER_SECOND + BigInt(fraction))
}

/** The number that the two digits at `index` make. */
function twoDigits(text: string, index: number): number {
  return text.charCodeAt(index) * 10 + text.charCodeAt(index + 1) - 11 * DIGIT_ZERO
}

/** A leap second, :59:60, counts as the second after it, as POSIX time has it. */
function isSecond(second: number, minute: number): boolean {
  return second < 60 || (second === 60 && minute === 59)
}

/** Seconds east of UTC of `+hh`, `+hhmm` or `+hh:mm`. */
function offsetSeconds(offset: string): number | undefined {
  const hours = twoDigits(offset, 1)
  const minutes = offset.length > 3 ? twoDigits(offset, offset.length - 2) : 0
  if (hours > 23 || minutes > 59) return undefined
  return (offset.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60)
}

function daysInMonth(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && isLeap ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0)
}

/** Nanoseconds of a second's fraction digits: the missing ones are zeros, those past nine are cut off. */
function nineDigits(fraction: string): number {
  const digits = fraction.slice(0, 9)
  return Number(digits) * 10 ** (9 - digits.length)
}
