import type pg from 'pg'
import { formatBytes, formatCount } from '../text-table.ts'
import { type Finding, ok } from './finding.ts'

/** The tables of a signal: first that of its rows, then what lies beside it. */
const TABLES = {
  traces: ['spans', 'span_contents', 'evaluations'],
  logs: ['log_records', 'log_contents'],
  metrics: ['metric_points'],
} as const

/** Rows are estimated, as VACUUM and ANALYZE have left them. `beside` is what is too large for a row, and the tables beside. */
const SIZES = `
  select signal, count(*) filter (where position = 1)::int as partitions,
         coalesce(sum(greatest(c.reltuples, 0)) filter (where position = 1), 0)::float8 as rows,
         coalesce(sum(pg_relation_size(c.oid)) filter (where position = 1), 0)::float8 as heap,
         coalesce(sum(pg_indexes_size(c.oid)) filter (where position = 1), 0)::float8 as indexes,
         coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as total
    from unnest($1::text[], $2::text[], $3::int[]) as of_signal (signal, name, position)
    join pg_inherits on inhparent = to_regclass(name)
    join pg_class c on c.oid = inhrelid
   group by signal`

const COMPRESSION = `
  select case attcompression when 'l' then 'lz4' when 'p' then 'pglz' else current_setting('default_toast_compression') end as method
    from pg_attribute where attrelid = to_regclass('spans') and attname = 'attributes'`

interface SizeRow {
  readonly signal: keyof typeof TABLES
  readonly partitions: number
  readonly rows: number
  readonly heap: number
  readonly indexes: number
  readonly total: number
}

/** What a row of each signal takes on disk, and how large values are compressed. */
export async function measureTables(client: pg.Client): Promise<readonly Finding[]> {
  const tables = Object.entries(TABLES).flatMap(([signal, names]) =>
    names.map((name, index) => ({ signal, name, position: index + 1 })),
  )
  const { rows } = await client.query<SizeRow>(SIZES, [
    tables.map(({ signal }) => signal),
    tables.map(({ name }) => name),
    tables.map(({ position }) => position),
  ])
  const sizes = new Map(rows.map((row) => [row.signal, row]))
  const { rows: methods } = await client.query<{ method: string }>(COMPRESSION)
  return [
    ...(Object.keys(TABLES) as (keyof typeof TABLES)[]).map((signal) =>
      sizeFinding(signal, sizes.get(signal)),
    ),
    ok('Compression of large values', methods[0]?.method ?? 'nothing stored yet'),
  ]
}

function sizeFinding(signal: string, size: SizeRow | undefined): Finding {
  const check = `Size of ${signal}`
  if (size === undefined) return ok(check, 'nothing stored yet')
  const { partitions, rows, heap, indexes, total } = size
  const all = `${formatBytes(total)} in ${partitions} partitions`
  // Never analysed, or empty.
  if (rows < 1) return ok(check, `${all}, rows not counted yet`)
  const each = (bytes: number) => formatCount(Math.round(bytes / rows))
  return ok(
    check,
    `${all}, about ${formatCount(Math.round(rows))} rows of ${each(total)} bytes: ${each(heap)} in the row, ${each(indexes)} in indexes, ${each(total - heap - indexes)} beside`,
  )
}
