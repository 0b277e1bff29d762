import type pg from 'pg'
import { sqlStateOf } from '../../errors.ts'
import { queryWithin } from '../../postgres-connection.ts'

/** A table of ours as it is now. */
export interface TableState {
  readonly table: string
  readonly partitions: number
  readonly rows: number
  /** Whether `rows` is PostgreSQL's estimate: counting a large table would take long. */
  readonly isEstimate: boolean
  /** On disk, with indexes and what is stored beside the rows. */
  readonly bytes: number
  /** RFC 3339; null for an empty table, and when finding it took too long. */
  readonly newest: string | null
}

/** What is told of, and the column whose newest value is. */
const TIME_COLUMNS: Readonly<Record<string, string>> = {
  spans: 'start_time',
  span_contents: 'start_time',
  log_records: 'time',
  log_contents: 'time',
  evaluations: 'time',
  metric_points: 'time',
  metric_series: 'first_seen',
  metrics: 'first_seen',
  resources: 'first_seen',
  scopes: 'first_seen',
  dead_letters: 'dead_lettered_at',
  ingest_ledger: 'committed_at',
}

/** Counting this much of a table takes about a tenth of a second. */
const COUNTED_MAX_BYTES = 32 * 1024 * 1024
/** The newest time of a partition without an index on it takes a scan of that partition. */
const NEWEST_TIMEOUT_MS = 5000

interface Sizes {
  readonly name: string
  readonly partitions: number
  readonly bytes: number
  readonly heap_bytes: number
  /** The newest partition that has rows; the table itself when it has no partitions. */
  readonly newest_relation: string | null
}

/** A partition's lower bound orders it among its siblings, whatever it is called. */
const SIZES = `
  with leaves as (
    select root.relname::text as name, leaf.oid, inhrelid is not null as is_partition,
      pg_relation_size(leaf.oid) as heap_bytes, pg_total_relation_size(leaf.oid) as bytes,
      (regexp_match(pg_get_expr(leaf.relpartbound, leaf.oid), $$FROM \\('([^']+)'\\)$$))[1]::timestamptz as starts_at
    from pg_class root
    join pg_namespace schema on schema.oid = root.relnamespace and schema.nspname = current_schema()
    left join pg_inherits on inhparent = root.oid and root.relkind = 'p'
    left join pg_class leaf on leaf.oid = case root.relkind when 'p' then inhrelid else root.oid end
    where root.relname = any ($1) and root.relkind in ('r', 'p')
  )
  select name, count(*) filter (where is_partition)::int as partitions, coalesce(sum(bytes), 0)::float8 as bytes,
    coalesce(sum(heap_bytes), 0)::float8 as heap_bytes,
    (array_agg(oid::regclass::text order by starts_at desc) filter (where heap_bytes > 0))[1] as newest_relation
  from leaves group by name`

/** The tables that are there, in the order in which they are told of. @throws what pg throws. */
export async function readTableStates(client: pg.Client): Promise<readonly TableState[]> {
  const names = Object.keys(TIME_COLUMNS)
  const { rows } = await client.query<Sizes>(SIZES, [names])
  const states: TableState[] = []
  for (const name of names) {
    const sizes = rows.find((row) => row.name === name)
    if (sizes !== undefined) states.push(await readTableState(client, sizes))
  }
  return states
}

async function readTableState(client: pg.Client, sizes: Sizes): Promise<TableState> {
  const { name, partitions, bytes, heap_bytes } = sizes
  const isEstimate = heap_bytes > COUNTED_MAX_BYTES
  return {
    table: name,
    partitions,
    rows: isEstimate ? await estimateRows(client, name) : await countRows(client, name),
    isEstimate,
    bytes,
    newest: await readNewest(client, sizes),
  }
}

async function countRows(client: pg.Client, name: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from ${client.escapeIdentifier(name)}`,
  )
  return Number(rows[0]?.count)
}

/** The planner's: reltuples of each partition, scaled by how much the partition has grown since they were taken. */
async function estimateRows(client: pg.Client, name: string): Promise<number> {
  const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ Plan: { 'Plan Rows': number } }] }>(
    `explain (format json) select from ${client.escapeIdentifier(name)}`,
  )
  return rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0
}

/** `newest_relation` comes from `regclass`, which quotes it where need be. */
async function readNewest(client: pg.Client, { name, newest_relation }: Sizes): Promise<string | null> {
  if (newest_relation === null) return null
  const newest = `select max(${TIME_COLUMNS[name]}) as newest from ${newest_relation}`
  try {
    await client.query('begin')
    await client.query(`set local statement_timeout = ${NEWEST_TIMEOUT_MS}`)
    const { rows } = await queryWithin(client, 2 * NEWEST_TIMEOUT_MS, newest)
    const [row] = rows as readonly { newest: Date | null }[]
    return row?.newest?.toISOString() ?? null
  } catch (error) {
    // 57014 query_canceled
    if (sqlStateOf(error) === '57014') return null
    throw error
  } finally {
    await client.query('rollback')
  }
}
