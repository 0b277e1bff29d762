import type pg from 'pg'
import type { PartitionInterval } from '../settings.ts'
import { listPartitions } from './list-partitions.ts'
import { hoursOf, overlaps, type PartitionRange, partitionName, partitionRange } from './partition-range.ts'

/** The tables that are partitioned by time. */
export const PARTITIONED_TABLES = [
  'spans',
  'span_contents',
  'metric_points',
  'log_records',
  'log_contents',
  'evaluations',
] as const

export type PartitionedTable = (typeof PARTITIONED_TABLES)[number]

/** A wait for a lock longer than this fails with 55P03 and is tried again, so that ingest never queues behind a long read. */
const LOCK_TIMEOUT = '5s'

/**
 * Knows which partitions exist and creates those that are missing, ahead and on demand.
 *
 * What is known is a cache of the catalogue: it grows until {@link forget} empties it, which happens for every new connection (the
 * database may be another one) and when PostgreSQL says that a partition is not there after all (23514). The accepted time window bounds it.
 */
export class Partitions {
  readonly #pool: pg.Pool
  readonly #interval: PartitionInterval
  readonly #connections = new WeakSet<pg.ClientBase>()
  readonly #known = new Map<PartitionedTable, Set<number>>(
    PARTITIONED_TABLES.map((table) => [table, new Set()]),
  )

  constructor({ pool, interval }: { readonly pool: pg.Pool; readonly interval: PartitionInterval }) {
    this.#pool = pool
    this.#interval = interval
  }

  /** The start of the partition that a record of this time belongs to, both in unix milliseconds. */
  startOf(unixMs: number): number {
    return partitionRange(unixMs, this.#interval).fromMs
  }

  /** Creates those partitions of `tables` that start at `starts` (unix milliseconds) and are not there yet. */
  async ensure(
    client: pg.ClientBase,
    tables: readonly PartitionedTable[],
    starts: Iterable<number>,
  ): Promise<void> {
    if (!this.#connections.has(client)) this.forget()
    this.#connections.add(client)
    const wanted = [...starts]
    for (const table of tables) {
      const known = this.#known.get(table)
      const missing = wanted.filter((start) => !known?.has(start))
      if (missing.length === 0) continue
      const ranges = missing.map((start) => partitionRange(start, this.#interval))
      await createPartitions(client, table, ranges)
      for (const start of missing) known?.add(start)
    }
  }

  /** Creates the partitions of now and of the `count` intervals after it, of every table. */
  async ensureAhead(count: number, nowMs = Date.now()): Promise<void> {
    const { fromMs, toMs } = partitionRange(nowMs, this.#interval)
    const starts = Array.from({ length: count + 1 }, (_, ahead) => fromMs + ahead * (toMs - fromMs))
    const client = await this.#pool.connect()
    let failed = true
    try {
      await this.ensure(client, PARTITIONED_TABLES, starts)
      failed = false
    } finally {
      client.release(failed)
    }
  }

  /** When the partitions of each table begin, in unix milliseconds: as the catalogue has them, not the cache. */
  async starts(): Promise<ReadonlyMap<PartitionedTable, readonly number[]>> {
    const client = await this.#pool.connect()
    const starts = new Map<PartitionedTable, readonly number[]>()
    try {
      for (const table of PARTITIONED_TABLES)
        starts.set(
          table,
          (await listPartitions(client, table)).map(({ fromMs }) => fromMs),
        )
    } finally {
      client.release()
    }
    return starts
  }

  forget(): void {
    for (const known of this.#known.values()) known.clear()
  }
}

/**
 * Creates each range as a table of its own and attaches it: ATTACH takes a lock under which reads and writes of the other
 * partitions go on; that of `CREATE TABLE … PARTITION OF` stops them. One process at a time, by an advisory lock. A caller
 * closes the connection when it throws.
 */
async function createPartitions(
  client: pg.ClientBase,
  table: PartitionedTable,
  ranges: readonly PartitionRange[],
): Promise<void> {
  await client.query('begin')
  await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`)
  await client.query(
    `select pg_advisory_xact_lock(hashtextextended('observatory partitions of ' || $1, 0))`,
    [table],
  )
  const existing = await listPartitions(client, table)
  for (const range of ranges.flatMap((wanted) => uncovered(wanted, existing))) {
    const name = await freeName(client, partitionName(table, range))
    const from = new Date(range.fromMs).toISOString()
    const to = new Date(range.toMs).toISOString()
    await client.query(`create table ${name} (like ${table} including all)`)
    await client.query(
      `alter table ${table} attach partition ${name} for values from ('${from}') to ('${to}')`,
    )
  }
  await client.query('commit')
}

/** A partition that was detached keeps its name: a later one of the same time is told apart by a number. */
async function freeName(client: pg.ClientBase, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}_${number}`
    const { rows } = await client.query<{ taken: boolean }>('select to_regclass($1) is not null as taken', [
      candidate,
    ])
    if (rows[0]?.taken !== true) return candidate
  }
}

/** What no partition covers yet; hour by hour where some of it is covered, which is so when the interval was changed. */
function uncovered(wanted: PartitionRange, existing: readonly PartitionRange[]): PartitionRange[] {
  const touching = existing.filter((other) => overlaps(wanted, other))
  if (touching.length === 0) return [wanted]
  return hoursOf(wanted).filter((hour) => !touching.some((other) => overlaps(hour, other)))
}
