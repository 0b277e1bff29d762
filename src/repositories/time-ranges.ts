import type pg from 'pg'
import { listPartitions } from '../retention/list-partitions.ts'
import type { PartitionedTable } from '../retention/partitions.ts'
import { microseconds } from './filter.ts'
import type { SmallQuery } from './stream-rows.ts'

/** A range of time by which a query is kept to some partitions; without an end it has none. */
export interface TimeRange {
  /** Unix milliseconds, inclusive. */
  readonly fromMs: number | undefined
  /** Exclusive. */
  readonly toMs: number | undefined
}

/** Asking PostgreSQL for the partitions takes longer than asking one of them. */
const KNOWN_FOR_MS = 10_000
const NANOS_PER_MS = 1_000_000n

interface Known {
  readonly at: number
  readonly ranges: Promise<readonly TimeRange[]>
}
const known = new WeakMap<pg.Pool, Map<PartitionedTable, Known>>()

/**
 * All of time, cut where the partitions of a table begin, the newest first. A query of one range looks at one partition, and of all ranges together at everything: also at a partition
 * that was made or dropped since the ranges were asked for, which is up to ten seconds ago.
 */
export function partitionRanges(pool: pg.Pool, table: PartitionedTable): Promise<readonly TimeRange[]> {
  const tables = known.get(pool) ?? new Map<PartitionedTable, Known>()
  known.set(pool, tables)
  const found = tables.get(table)
  if (found !== undefined && performance.now() - found.at < KNOWN_FOR_MS) return found.ranges
  const ranges = listPartitions(pool, table).then((partitions) => {
    // The newest has no end, and the oldest no beginning.
    const starts = partitions.map(({ fromMs }) => fromMs).slice(0, -1)
    return [...starts, undefined].map((fromMs, index) => ({ fromMs, toMs: starts[index - 1] }))
  })
  tables.set(table, { at: performance.now(), ranges })
  ranges.catch(() => tables.delete(table))
  return ranges
}

/** Partitions of one query at most: with their indexes they take some 60 locks, of 64 that PostgreSQL counts on for a transaction. */
export const MOST_RANGES = 8

/**
 * Partitions of one query that is planned once a connection, at most: then it takes a lock for each of them and for the index that it uses, and while it is planned one for each of
 * their indexes, too.
 */
export const PLANNED_RANGES = 32

/** The ends of a range as SQL of `timestamptz`: literals or parameters. */
export type RangeEnds = readonly [from: string, to: string]

/**
 * A query that a connection plans once for a range: that is part of its text, so that the partitions are known when it is planned, and of its name.
 *
 * @param of has the query, given the ends of the range.
 */
export function plannedQuery(
  name: string,
  range: TimeRange,
  of: (ends: RangeEnds) => SmallQuery,
): SmallQuery {
  // Our own text: an instant as ISO 8601 has it, or infinite.
  const [from, to] = rangeTexts(range).map((text) => `'${text}'`) as [string, string]
  return { ...of([from, to]), name: `${name} ${range.fromMs ?? ''} ${range.toMs ?? ''}` }
}

/** Partitions for which a query of a short time is planned at once. Its first five plans take longer for each of them, and it is planned for fewer ranges. */
const NEAR_RANGES = 4
/** The newest ranges of so many partitions: a connection holds up to 0.3 MiB for each range and query. */
const MOST_NEAR = 16

/**
 * A query of a short range, which most often is in one partition. If that is a new one, it is planned once for all that are near it: what it is planned for is longer than `range`.
 *
 * @param of has the query, given the ends of the range; values that it adds come after those of the ends.
 */
export async function nearQuery(
  pool: pg.Pool,
  {
    name,
    table,
    range,
  }: { readonly name: string; readonly table: PartitionedTable; readonly range: TimeRange },
  of: (ends: RangeEnds, values: unknown[]) => string,
): Promise<SmallQuery> {
  const all = joinRanges(await partitionRanges(pool, table), () => NEAR_RANGES)
  const near = all.slice(0, MOST_NEAR).find((planned) => contains(planned, range))
  if (near !== undefined) {
    return plannedQuery(name, near, (ends) => {
      const values: unknown[] = []
      return { text: of(ends, values), values }
    })
  }
  const values: unknown[] = []
  return { text: of(parameterEnds(range, values), values), values }
}

function contains(
  outer: TimeRange,
  { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY }: TimeRange,
): boolean {
  return (
    (outer.fromMs ?? Number.NEGATIVE_INFINITY) <= fromMs && (outer.toMs ?? Number.POSITIVE_INFINITY) >= toMs
  )
}

const NEXT_RANGES = [1, 2, 4]

/** For whom the newest are enough: today's partition with those made ahead, which most often are empty, then one, then more and more. */
export function newestFirst(ranges: readonly TimeRange[], nowMs = Date.now()): readonly TimeRange[] {
  const ahead = ranges.filter(({ fromMs = 0 }) => fromMs > nowMs).length
  const first = Math.min(ahead + 1, MOST_RANGES)
  return joinRanges(ranges, (index) => (index === 0 ? first : (NEXT_RANGES[index - 1] ?? MOST_RANGES)))
}

/** Ranges, put together so that there are as many in each as `sizeOf` says of its number. */
export function joinRanges(
  ranges: readonly TimeRange[],
  sizeOf: (index: number) => number,
): readonly TimeRange[] {
  const joined: TimeRange[] = []
  for (let next = 0; next < ranges.length; ) {
    const group = ranges.slice(next, next + sizeOf(joined.length))
    joined.push({ fromMs: group.at(-1)?.fromMs, toMs: group[0]?.toMs })
    next += group.length
  }
  return joined
}

/** The ranges in which something of a time range can be. Its ends are in unix nanoseconds. */
export function rangesWithin(
  ranges: readonly TimeRange[],
  { from, to }: { readonly from?: bigint; readonly to?: bigint },
): readonly TimeRange[] {
  const fromMs = from && Number(from / NANOS_PER_MS)
  // The first whole millisecond that is not before the end.
  const toMs = to && Number((to + NANOS_PER_MS - 1n) / NANOS_PER_MS)
  return ranges.filter(
    (range) =>
      (fromMs === undefined || range.toMs === undefined || range.toMs > fromMs) &&
      (toMs === undefined || range.fromMs === undefined || range.fromMs < toMs),
  )
}

/** A range as texts that PostgreSQL reads as `timestamptz`. */
function rangeTexts({ fromMs, toMs }: TimeRange): readonly [from: string, to: string] {
  return [
    fromMs === undefined ? '-infinity' : timeText(fromMs),
    toMs === undefined ? 'infinity' : timeText(toMs),
  ]
}

/** The ends of a range as parameters of a query. */
export function parameterEnds(range: TimeRange, values: unknown[]): RangeEnds {
  const [from, to] = rangeTexts(range)
  return [`$${values.push(from)}::timestamptz`, `$${values.push(to)}::timestamptz`]
}

/** What keeps a column between two ends, `and …`. */
export function betweenSql(column: string, [from, to]: RangeEnds): string {
  return ` and ${column} >= ${from} and ${column} < ${to}`
}

/** A range made longer at both ends, by milliseconds. */
export function widened({ fromMs, toMs }: TimeRange, before: number, after: number): TimeRange {
  return {
    fromMs: fromMs === undefined ? undefined : fromMs - before,
    toMs: toMs === undefined ? undefined : toMs + after,
  }
}

function timeText(ms: number): string {
  return microseconds(BigInt(ms) * NANOS_PER_MS)
}

/** A range as conditions of SQL on a column, each `and …`; empty of all of time. */
export function rangeSql(column: string, { fromMs, toMs }: TimeRange, values: unknown[]): string {
  const condition = (operator: string, ms: number | undefined) =>
    ms === undefined ? '' : ` and ${column} ${operator} $${values.push(timeText(ms))}::timestamptz`
  return condition('>=', fromMs) + condition('<', toMs)
}
