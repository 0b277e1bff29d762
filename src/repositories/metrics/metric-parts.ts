import type pg from 'pg'
import { floorDivide } from '../../models/floor-divide.ts'
import { type MinuteRange, parseMultirange } from '../../retention/rollups/changed-minutes.ts'
import { beforeSql, microseconds, type RecordFilter } from '../filter.ts'
import { joined, nanosOf, planPieces, rest } from '../rollups/plan-pieces.ts'
import { inRangesSql } from '../rollups/rolled-query.ts'

/** Unix nanoseconds, `to` exclusive; without an end it has none. */
type PointRange = Pick<RecordFilter, 'from' | 'to'>

/** What a time series is made of. */
export interface MetricParts {
  /** Rollups: minutes since 1970. */
  readonly days: readonly MinuteRange[]
  readonly hours: readonly MinuteRange[]
  /** Whether there are rollups of what was taken away: a late point may then be of a time that such a one has. */
  readonly hasRemoved: boolean
  /** Hours whose points are read, beside which there are rollups of those that were taken away. */
  readonly removedHours: readonly MinuteRange[]
  /** An hour before the time range, of which rollups of what was taken away are what an increase counts from, where they end after `endAfter`. */
  readonly before: { readonly hour: MinuteRange; readonly endAfter: bigint } | undefined
  /** Points: those of a time before the time range are what an increase counts from. */
  readonly points: readonly PointRange[]
}

export interface PartsOptions extends PointRange {
  readonly step: bigint | undefined
  /** How far before the time range, in nanoseconds. */
  readonly lookback: bigint
}

export const HOUR_NANOS = 3_600_000_000_000n
const HOUR = 60

/** All of it from points. */
export function pointParts({ from, to, lookback }: PartsOptions): MetricParts {
  const points = [{ from: from === undefined ? undefined : from - lookback, to } as PointRange]
  return { days: [], hours: [], hasRemoved: false, removedHours: [], before: undefined, points }
}

/** As this snapshot has it: rollups of days and hours that lie in the time range and in a step, and of which nothing has changed, and points for the rest. */
export async function readMetricParts(client: pg.ClientBase, options: PartsOptions): Promise<MetricParts> {
  const { from, to, step } = options
  if (step !== undefined && step % HOUR_NANOS !== 0n) return pointParts(options)
  const { rows } = await client.query<{ pending: string | null; removed: boolean }>(
    `select (select range_agg(pending)::text from changed_minutes where signal = 'metrics' and pending is not null) as pending,
            exists (select from metric_rollup_hours where removal_id <> 0 and hour >= $1 and hour < $2) as removed`,
    [
      from === undefined ? '-infinity' : microseconds(from - 2n * HOUR_NANOS),
      to === undefined ? 'infinity' : microseconds(to),
    ],
  )
  const pending = parseMultirange(rows[0]?.pending ?? '')
  return planMetricParts(options, { pending, hasRemoved: rows[0]?.removed === true })
}

function planMetricParts(
  options: PartsOptions,
  { pending, hasRemoved }: { readonly pending: readonly MinuteRange[]; readonly hasRemoved: boolean },
): MetricParts {
  const { from, to, step, lookback } = options
  const { days, hours, minutes, rows } = planPieces({ from, to, step, pending })
  const isEmpty = from !== undefined && to !== undefined && from >= to
  if (isEmpty || (days.length === 0 && hours.length === 0 && !hasRemoved)) return pointParts(options)
  const ofMinutes = minutes.map((range) => ({ from: nanosOf(range.from), to: nanosOf(range.to) }))
  const earlier = from === undefined || lookback === 0n ? [] : [{ from: from - lookback, to: from }]
  const points = joined([...earlier, ...rows, ...ofMinutes].sort((a, b) => (a.from < b.from ? -1 : 1)))
  if (!hasRemoved) return { days, hours, hasRemoved, removedHours: [], before: undefined, points }
  const whole = { from: firstHour(from), to: lastHour(to) }
  const taken = [...days, ...hours].sort((a, b) => a.from - b.from)
  const before = from === undefined ? undefined : lastHour(from)
  return {
    days,
    hours,
    hasRemoved,
    removedHours: whole.from < whole.to ? rest(whole, taken) : [],
    before:
      from === undefined || before === undefined || lookback === 0n
        ? undefined
        : { hour: { from: before - HOUR, to: before }, endAfter: from - lookback },
    points,
  }
}

/** The first hour that does not begin before a time, in minutes. */
function firstHour(time: bigint | undefined): number {
  return time === undefined ? Number.NEGATIVE_INFINITY : Number(-floorDivide(-time, HOUR_NANOS)) * HOUR
}

/** The end of the last hour that ends before a time, or then. */
function lastHour(time: bigint | undefined): number {
  return time === undefined ? Number.POSITIVE_INFINITY : Number(floorDivide(time, HOUR_NANOS)) * HOUR
}

export interface PartsSql {
  /** SQL of the columns of a part: of a point `p`, and of a rollup `p`. */
  readonly point: string
  readonly rollup: string
  /** Which tables have `p`, as SQL after FROM: its series join it. */
  readonly from: (table: string) => string
  /** SQL of what has to be true of a point. */
  readonly isKnown: string
  readonly parameter: (value: unknown) => string
}

/** SQL of all parts. */
export function partsSql(
  { days, hours, removedHours, before, points }: MetricParts,
  { point, rollup, from, isKnown, parameter }: PartsSql,
): string {
  const selects = points.map(
    (range) =>
      `select ${point} from ${from('metric_points')} where ${isKnown} ${timeConditions(range, parameter)}`,
  )
  const ofHours = (ranges: readonly MinuteRange[]) =>
    `select ${rollup} from ${from('metric_rollup_hours')} where (${inRangesSql('p.hour', ranges, parameter)})`
  if (days.length > 0) {
    selects.push(
      `select ${rollup} from ${from('metric_rollup_days')} where ${inRangesSql('p.day', days, parameter)}`,
    )
  }
  if (hours.length > 0) selects.push(ofHours(hours))
  if (removedHours.length > 0) selects.push(`${ofHours(removedHours)} and p.removal_id <> 0`)
  if (before !== undefined) {
    selects.push(
      `${ofHours([before.hour])} and p.removal_id <> 0 and p.last_time_unix_nano >= ${parameter(before.endAfter)}::bigint`,
    )
  }
  return selects.join(' union all ')
}

/** SQL of a time range: partitions are left out by the first of each pair. */
function timeConditions({ from, to }: PointRange, parameter: (value: unknown) => string): string {
  const conditions: string[] = []
  if (from !== undefined) {
    conditions.push(`and p.time >= ${parameter(microseconds(from))}::timestamptz`)
    conditions.push(`and p.time_unix_nano >= ${parameter(from)}::bigint`)
  }
  if (to !== undefined) {
    conditions.push(`and p.time ${beforeSql(to)} ${parameter(microseconds(to))}::timestamptz`)
    conditions.push(`and p.time_unix_nano < ${parameter(to)}::bigint`)
  }
  return conditions.join(' ')
}
