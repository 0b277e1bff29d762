import type pg from 'pg'
import { PARTITIONED_TABLES, type PartitionedTable } from '../retention/partitions.ts'

interface Bounds {
  readonly table: PartitionedTable
  /** RFC 3339, or `-infinity` and `infinity`. */
  readonly from: string
  readonly to: string
  readonly from_ms: number
  readonly to_ms: number
}

/** The two bounds of a range partition; a DEFAULT one takes every time. */
const BOUNDS = `
  select parent.relname as table, bounds.from, bounds.to,
    extract(epoch from bounds.from::timestamptz)::float8 * 1000 as from_ms, extract(epoch from bounds.to::timestamptz)::float8 * 1000 as to_ms
  from pg_inherits
  join pg_class parent on parent.oid = inhparent and parent.oid = any ($1::regclass[])
  join pg_class child on child.oid = inhrelid,
  lateral (select regexp_match(pg_get_expr(child.relpartbound, child.oid), $$FROM \\('?(.*?)'?\\) TO \\('?(.*?)'?\\)$$) as parts) as m,
  lateral (select coalesce(nullif(parts[1], 'MINVALUE'), '-infinity') as from,
                  coalesce(nullif(parts[2], 'MAXVALUE'), 'infinity') as to) as bounds`

/** What retention has removed, partitions and single rows, or is removing, and what was erased. */
const REMOVED = `
  select table_name as table, extract(epoch from from_time)::float8 * 1000 as from_ms, extract(epoch from to_time)::float8 * 1000 as to_ms
    from (
      select table_name, from_time, to_time from removals where rows > 0 or state = 'detached' or state = 'detaching'
      union all
      select table_name, from_time, to_time from erased_ranges where rows > 0
    ) as removed`

interface RemovedRange {
  readonly table: PartitionedTable
  readonly from_ms: number
  readonly to_ms: number
}

/** Which times the partitions that are there hold, and of which something was removed: what is gone cannot be looked at any more. */
export class PartitionCoverage {
  readonly #bounds: readonly Bounds[]
  readonly #removed: readonly RemovedRange[]
  readonly #firstSeenMs: number | undefined

  private constructor(
    bounds: readonly Bounds[],
    removed: readonly RemovedRange[],
    firstSeenMs: number | undefined,
  ) {
    this.#bounds = bounds
    this.#removed = removed
    this.#firstSeenMs = firstSeenMs
  }

  /** In the transaction whose snapshot is audited. */
  static async read(client: pg.ClientBase): Promise<PartitionCoverage> {
    const { rows: bounds } = await client.query<Bounds>(BOUNDS, [PARTITIONED_TABLES])
    const { rows } = await client.query<{ ms: number | null }>(
      'select extract(epoch from min(first_seen))::float8 * 1000 as ms from resources',
    )
    const { rows: removed } = await client.query<RemovedRange>(REMOVED)
    return new PartitionCoverage(bounds, removed, rows[0]?.ms ?? undefined)
  }

  /** For SQL. */
  multirange(table: PartitionedTable): string {
    const ranges = this.#bounds.filter((bounds) => bounds.table === table)
    return `{${ranges.map(({ from, to }) => `["${from}","${to}")`).join(',')}}`
  }

  /**
   * Whether records with times from `fromMs` to `toMs` may be gone by retention or erasure, or have been in a partition that somebody dropped. That is so for any time without a
   * partition, unless nothing was ever dropped: the oldest partition is of a time before the first resource was seen. (A time from which
   * nothing ever came has no partition either.)
   */
  mayHaveLost(table: PartitionedTable, fromMs: number, toMs: number): boolean {
    if (this.#removed.some((range) => range.table === table && range.from_ms <= toMs && range.to_ms > fromMs))
      return true
    const ranges = this.#bounds
      .filter((bounds) => bounds.table === table)
      .sort((a, b) => a.from_ms - b.from_ms)
    const [oldest] = ranges
    if (oldest !== undefined && this.#firstSeenMs !== undefined && oldest.from_ms <= this.#firstSeenMs)
      return false
    let coveredTo = fromMs
    for (const { from_ms, to_ms } of ranges) {
      if (from_ms > coveredTo) break
      coveredTo = Math.max(coveredTo, to_ms)
    }
    return coveredTo <= toMs
  }
}
