import type { PartitionInterval } from '../settings.ts'

const HOUR_MS = 3_600_000
const INTERVAL_MS = { hour: HOUR_MS, day: 24 * HOUR_MS } as const

/** A span of time that one partition holds: unix milliseconds, `toMs` exclusive, aligned to UTC. */
export interface PartitionRange {
  readonly fromMs: number
  readonly toMs: number
}

export function partitionRange(unixMs: number, interval: PartitionInterval): PartitionRange {
  const length = INTERVAL_MS[interval]
  const fromMs = Math.floor(unixMs / length) * length
  return { fromMs, toMs: fromMs + length }
}

/** The same span of time in pieces of an hour. */
export function hoursOf(range: PartitionRange): PartitionRange[] {
  const hours: PartitionRange[] = []
  for (let fromMs = range.fromMs; fromMs < range.toMs; fromMs += HOUR_MS) {
    hours.push({ fromMs, toMs: fromMs + HOUR_MS })
  }
  return hours
}

export function overlaps(a: PartitionRange, b: PartitionRange): boolean {
  return a.fromMs < b.toMs && b.fromMs < a.toMs
}

/** `spans_p20261123` for a day, `spans_p20261123t14` for an hour. */
export function partitionName(table: string, range: PartitionRange): string {
  const iso = new Date(range.fromMs).toISOString()
  const day = iso.slice(0, 10).replaceAll('-', '')
  return `${table}_p${day}${range.toMs - range.fromMs === HOUR_MS ? `t${iso.slice(11, 13)}` : ''}`
}
