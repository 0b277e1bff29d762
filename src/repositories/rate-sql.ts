export interface RateOptions {
  /** SQL of the beginning and of the width of a step, where there are steps. */
  readonly time: string | undefined
  readonly width: string | undefined
  /** Unix nanoseconds: the time range, and what it ends with where it has no end. */
  readonly from?: bigint
  readonly to?: bigint
  readonly now?: bigint
  readonly parameter: (value: unknown) => string
}

/** SQL of the member `rate`: so many by the second of the time that is asked for, or of what of it is in the step; null where that has no beginning or no end. */
export function rateSql(count: string, { time, width, from, to, now, parameter }: RateOptions): string {
  const number = (nanos: bigint | undefined) =>
    nanos === undefined ? 'null::numeric' : `${parameter(nanos)}::numeric`
  const [start, end] = [number(from), number(to ?? now)]
  const seconds =
    time === undefined
      ? `(${end} - ${start}) / 1e9`
      : `(least(${time} + ${width}, ${end}) - greatest(${time}, ${start})) / 1e9`
  return `'rate', case when ${seconds} > 0 then ${count}::float8 / (${seconds})::float8 end`
}
