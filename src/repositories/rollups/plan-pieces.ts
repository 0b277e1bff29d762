import { floorDivide } from '../../models/floor-divide.ts'
import { coarse, type MinuteRange, within } from '../../retention/rollups/changed-minutes.ts'

/** Unix nanoseconds, `to` exclusive. */
export interface NanoRange {
  readonly from: bigint
  readonly to: bigint
}

/** What of a time range is answered by what. Minutes are since 1970; infinite where the range has no end. */
export interface Pieces {
  readonly days: readonly MinuteRange[]
  readonly hours: readonly MinuteRange[]
  readonly minutes: readonly MinuteRange[]
  /** By rows: what is not a whole minute, and minutes that have changed. */
  readonly rows: readonly NanoRange[]
  /** Whole minutes that are answered by rows: of those that are gone there are rollups all the same. */
  readonly changed: readonly MinuteRange[]
}

export interface PiecesOptions {
  readonly from: bigint | undefined
  readonly to: bigint | undefined
  readonly step: bigint | undefined
  /** Minutes that have changed since they were rolled up, in order. */
  readonly pending: readonly MinuteRange[]
}

export const MINUTE_NANOS = 60_000_000_000n
const MINUTES_OF_AN_HOUR = 60
const MINUTES_OF_A_DAY = 1440
/** Above it, changed minutes that are close are read as one range. */
const MAX_CHANGED = 16

/** Takes days where they are whole, lie in a step, and none of their minutes has changed; then hours, then minutes, then rows. */
export function planPieces({ from, to, step, pending }: PiecesOptions): Pieces {
  const whole = {
    from: from === undefined ? Number.NEGATIVE_INFINITY : Number(-floorDivide(-from, MINUTE_NANOS)),
    to: to === undefined ? Number.POSITIVE_INFINITY : Number(floorDivide(to, MINUTE_NANOS)),
  }
  if (whole.from >= whole.to) {
    const none = { days: [], hours: [], minutes: [], changed: [] }
    return { ...none, rows: from === undefined || to === undefined ? [] : nonEmpty({ from, to }) }
  }
  const changed = coarse(within(pending, whole), MAX_CHANGED)
  const fits = (minutes: number) => step === undefined || step % (BigInt(minutes) * MINUTE_NANOS) === 0n
  const [days, notDays] = takeWhole(
    rest(whole, changed),
    fits(MINUTES_OF_A_DAY) ? MINUTES_OF_A_DAY : undefined,
  )
  const [hours, minutes] = takeWhole(notDays, fits(MINUTES_OF_AN_HOUR) ? MINUTES_OF_AN_HOUR : undefined)
  const edges = [
    ...(from === undefined ? [] : nonEmpty({ from, to: nanosOf(whole.from) })),
    ...changed.map((range) => ({ from: nanosOf(range.from), to: nanosOf(range.to) })),
    ...(to === undefined ? [] : nonEmpty({ from: nanosOf(whole.to), to })),
  ]
  return { days, hours, minutes, rows: joined(edges), changed }
}

/** The whole units of ranges, and what is left of them. */
function takeWhole(
  ranges: readonly MinuteRange[],
  unit: number | undefined,
): readonly [taken: readonly MinuteRange[], left: readonly MinuteRange[]] {
  if (unit === undefined) return [[], ranges]
  const taken: MinuteRange[] = []
  const left: MinuteRange[] = []
  for (const range of ranges) {
    const inner = { from: Math.ceil(range.from / unit) * unit, to: Math.floor(range.to / unit) * unit }
    if (inner.from >= inner.to) left.push(range)
    else {
      taken.push(inner)
      if (range.from < inner.from) left.push({ from: range.from, to: inner.from })
      if (inner.to < range.to) left.push({ from: inner.to, to: range.to })
    }
  }
  return [taken, left]
}

/** What of a range lies between others, which are in order. */
export function rest({ from, to }: MinuteRange, others: readonly MinuteRange[]): readonly MinuteRange[] {
  const starts = [from, ...others.map((other) => other.to)]
  const ends = [...others.map((other) => other.from), to]
  return starts
    .map((start, index) => ({ from: start, to: ends[index] ?? to }))
    .filter((range) => range.from < range.to)
}

function nonEmpty(range: NanoRange): readonly NanoRange[] {
  return range.from < range.to ? [range] : []
}

export function nanosOf(minute: number): bigint {
  return BigInt(minute) * MINUTE_NANOS
}

/** Ranges in order, those that touch as one. */
export function joined(ranges: readonly NanoRange[]): readonly NanoRange[] {
  const result: { from: bigint; to: bigint }[] = []
  for (const range of ranges) {
    const last = result.at(-1)
    if (last?.to === range.from) last.to = range.to
    else result.push({ ...range })
  }
  return result
}
