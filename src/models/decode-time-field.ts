import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPresent } from './decode-fields.ts'
import { decodeTime, decodeUnixNano } from './decode-time.ts'

/** The names under which a record may carry one time. */
export interface TimeNames {
  /** OTLP's field: unix nanoseconds only. */
  readonly unixNano: string
  /** Fields that take every form of a time, in order of precedence. */
  readonly shorthands: readonly string[]
}

/**
 * A time in unix nanoseconds, undefined when none is given. In OTLP the epoch itself, 0, is how a time
 * that is not known is written, so it counts as not given.
 */
export function readTime(fields: Fields, names: TimeNames, context: DecodeContext): bigint | undefined {
  const exact = fields[names.unixNano]
  if (isPresent(exact)) {
    const time = decodeUnixNano(exact)
    if (time === undefined) {
      return refuse(context, 'bad_time', `${names.unixNano} must be unix nanoseconds that fit 64 bits`)
    }
    if (time !== 0n) return time
  }
  for (const name of names.shorthands) {
    if (!isPresent(fields[name])) continue
    const time = decodeTime(fields[name])
    if (time === undefined) {
      return refuse(context, 'bad_time', `${name} must be RFC 3339 or a unix time between 1677 and 2262`)
    }
    return time === 0n ? undefined : time
  }
  return undefined
}

/** Refuses a time outside the accepted window, which is what decides a row's partition. */
export function checkWindow(time: bigint, field: string, context: DecodeContext): void {
  const { earliest, latest } = context.limits
  if (time >= earliest && time <= latest) return
  const side = time < earliest ? 'older' : 'newer'
  refuse(context, 'time_out_of_window', `${field} is ${side} than what is accepted: ${isoWindow(context)}`)
}

function isoWindow({ limits }: DecodeContext): string {
  return `${isoSeconds(limits.earliest)} to ${isoSeconds(limits.latest)}`
}

function isoSeconds(unixNano: bigint): string {
  const date = new Date(Number(unixNano / 1_000_000n))
  return Number.isNaN(date.getTime()) ? `unix nanosecond ${unixNano}` : date.toISOString()
}
