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
const FIRST_RANGES = [4, 1, 2, 4]

/**
 * Partitions of one query that is planned once a connection, at most: then it takes a lock for each of them and for the index that it uses, and while it is planned one for each of
 * their indexes, too.
 */
export const PLANNED_RANGES = 32

/**
 * A query that a connection plans once for a range: that is part of its text, so that the partitions are known when it is planned, and of its name.
 *
 * @param of has the query, given what keeps a column within the range.
 */
export function plannedQuery(
  name: string,
  range: TimeRange,
  of: (within: (column: string) => string) => SmallQuery,
): SmallQuery {
  const [from, to] = rangeTexts(range)
  // Both are our own: an instant as ISO 8601 has it, or infinite.
  const within = (column: string) => ` and ${column} >= '${from}' and ${column} < '${to}'`
  return { ...of(within), name: `${name} ${range.fromMs ?? ''} ${range.toMs ?? ''}` }
}

/** For whom the newest are enough: the partitions made ahead and today's, then one, then more and more. */
export const RANGES_AT_ONCE = (index: number): number => FIRST_RANGES[index] ?? MOST_RANGES

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

/** A range as literals of `timestamptz`. */
export function rangeTexts({ fromMs, toMs }: TimeRange): readonly [from: string, to: string] {
  return [
    fromMs === undefined ? '-infinity' : timeText(fromMs),
    toMs === undefined ? 'infinity' : timeText(toMs),
  ]
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
