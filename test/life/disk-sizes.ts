import type pg from 'pg'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { PartitionedTable } from '../../src/retention/partitions.ts'

/** Bytes on disk of what rows of a signal take: in their table, in its indexes, and in the tables beside and what is too large for a row. */
export interface DiskSize {
  readonly rows: number
  readonly heap: number
  readonly indexes: number
  readonly total: number
}

/** The tables of a signal, that of its rows first. */
export const TABLES = {
  traces: ['spans', 'span_contents'],
  logs: ['log_records', 'log_contents'],
  metrics: ['metric_points'],
} as const satisfies Readonly<Record<TelemetrySignal, readonly PartitionedTable[]>>

const SIZE = `
  select coalesce(sum(pg_relation_size(inhrelid)) filter (where parent = ($1::text[])[1]), 0)::float8 as heap,
         coalesce(sum(pg_indexes_size(inhrelid)) filter (where parent = ($1::text[])[1]), 0)::float8 as indexes,
         coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 as total
    from unnest($1::text[]) as parent join pg_inherits on inhparent = parent::regclass`

export async function diskSize(pool: pg.Pool, signal: TelemetrySignal): Promise<DiskSize> {
  const [table] = TABLES[signal]
  const { rows } = await pool.query(SIZE, [TABLES[signal]])
  const counted = await pool.query(`select count(*)::float8 as rows from ${table}`)
  return { ...rows[0], ...counted.rows[0] }
}

/** Tables of rollups, all three lengths together. */
export async function rollupSize(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    `select coalesce(sum(pg_total_relation_size(oid)), 0)::float8 as bytes from pg_class where relkind = 'r' and relname ~ '_rollup_'`,
  )
  return rows[0].bytes
}
