import type pg from 'pg'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/** A range of minutes since 1970, `to` exclusive. */
export interface MinuteRange {
  readonly from: number
  readonly to: number
}

/** What changed is remembered at least so long. */
export const CHANGES_REMEMBERED_MS = 3_600_000

/** Ranges of one transaction at most: past it, those that are closest become one, which only says too much. */
const MAX_RANGES = 256

/**
 * Says, in the transaction that writes, changes or removes rows of a signal, of which minutes they are. It has to be said of every row: rollups and cached answers
 * of other minutes are taken to hold.
 */
export async function markChanged(
  client: Pick<pg.ClientBase, 'query'>,
  signal: TelemetrySignal,
  minutes: Iterable<number>,
): Promise<void> {
  const ranges = rangesOf(minutes)
  if (ranges.length === 0) return
  await client.query(
    'insert into changed_minutes (signal, minutes, pending) values ($1, $2::int4multirange, $2::int4multirange)',
    [signal, multirange(ranges)],
  )
}

/** The ranges that the minutes make, in order; at most `most`. */
export function rangesOf(minutes: Iterable<number>, most = MAX_RANGES): readonly MinuteRange[] {
  const sorted = [...new Set(minutes)].sort((a, b) => a - b)
  return coarse(
    sorted.map((minute) => ({ from: minute, to: minute + 1 })),
    most,
  )
}

/** The same minutes in `most` ranges at most, with as few others as can be. @param ranges in order. */
export function coarse(ranges: readonly MinuteRange[], most: number): readonly MinuteRange[] {
  const gaps = ranges.slice(1).map((range, index) => range.from - (ranges[index]?.to ?? range.from))
  const widest = [...gaps].sort((a, b) => b - a)[most - 1] ?? 0
  const joined: { from: number; to: number }[] = []
  ranges.forEach((range, index) => {
    const last = joined.at(-1)
    if (last === undefined || (gaps[index - 1] ?? 0) > widest) joined.push({ ...range })
    else last.to = Math.max(last.to, range.to)
  })
  return joined
}

/** The parts of ranges that lie in another. */
export function within(ranges: readonly MinuteRange[], { from, to }: MinuteRange): readonly MinuteRange[] {
  return ranges
    .map((range) => ({ from: Math.max(range.from, from), to: Math.min(range.to, to) }))
    .filter((range) => range.from < range.to)
}

/** As PostgreSQL writes an int4multirange. */
export function multirange(ranges: readonly MinuteRange[]): string {
  return `{${ranges.map(({ from, to }) => `[${from},${to})`).join(',')}}`
}

/** Of `{[1,3),[7,8)}`. */
export function parseMultirange(text: string): readonly MinuteRange[] {
  return [...text.matchAll(/\[(-?\d+),(-?\d+)\)/g)].map(([, from, to]) => ({
    from: Number(from),
    to: Number(to),
  }))
}
