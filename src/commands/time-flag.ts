import { InvalidArgumentError } from 'commander'
import { parseFilterTime } from '../repositories/filter-time.ts'

/** A time of the command line, as filters take it, in unix nanoseconds. @throws commander's InvalidArgumentError when it is none. */
export function parseTimeFlag(text: string): bigint {
  const time = parseFilterTime(text, Date.now())
  if (time === undefined)
    throw new InvalidArgumentError('Expected RFC 3339, a date, a unix time, or one like -15m.')
  return time
}
