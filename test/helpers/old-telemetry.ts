import type pg from 'pg'
import { PARTITIONED_TABLES, type PartitionedTable, Partitions } from '../../src/retention/partitions.ts'

const DAY = 86_400_000

export interface OldRows {
  /** Unix milliseconds. */
  readonly time: number
  readonly rows: number
  readonly service?: string
  /** Severity number, or status code. */
  readonly code?: number
  readonly hasContent?: boolean
}

/** Makes the day's partitions, of all tables or of those. */
export async function makeDay(
  pool: pg.Pool,
  time: number,
  tables: readonly PartitionedTable[] = PARTITIONED_TABLES,
): Promise<void> {
  const partitions = new Partitions({ pool, interval: 'day' })
  const client = await pool.connect()
  try {
    await partitions.ensure(client, tables, [partitions.startOf(time)])
  } finally {
    client.release()
  }
}

/** The name of a day's partition. */
export function dayOf(table: string, time: number): string {
  return `${table}_p${new Date(Math.floor(time / DAY) * DAY).toISOString().slice(0, 10).replaceAll('-', '')}`
}

/** Log records of a moment, each with its place: `entry_ms` is the time. */
export async function addLogs(
  client: Pick<pg.ClientBase, 'query'>,
  { time, rows, service = 'api', code = 9, hasContent = false }: OldRows,
): Promise<void> {
  await client.query(
    `with added as (
       insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
                                has_content, body_is_json, service, attributes, body)
       select to_timestamp($1::float8 / 1000), $1::bigint * 1000000, 1, 1, $1::bigint, n + $4 * 1000000, 0, $4, $5, false, $3,
              jsonb_build_object('tenant', case n % 2 when 0 then 'acme' else 'other' end, 'n', n), 'line ' || n
         from generate_series(1, $2::int) as n returning *)
     insert into log_contents (time, entry_ms, entry_seq, record_index, attributes, body)
     select time, entry_ms, entry_seq, record_index, '{"gen_ai.prompt": "why?"}', null from added where has_content`,
    [time, rows, service, code, hasContent],
  )
}

/** Spans of a moment, with an evaluation where they have content. */
export async function addSpans(
  client: Pick<pg.ClientBase, 'query'>,
  { time, rows, service = 'api', code = 0, hasContent = false }: OldRows,
): Promise<void> {
  await client.query(
    `with added as (
       insert into spans (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index, kind,
                          status_code, has_content, span_id, service, name, attributes, duration_ns)
       select to_timestamp($1::float8 / 1000), $1::bigint * 1000000, 1, 1, $1::bigint, n + $4 * 1000000, gen_random_uuid(), 0, 1, $4, $5,
              '\\x0102030405060708', $3, 'chat', jsonb_build_object('n', n), n * 1000000
         from generate_series(1, $2::int) as n returning *),
     contents as (
       insert into span_contents (start_time, entry_ms, entry_seq, trace_id, record_index, attributes)
       select start_time, entry_ms, entry_seq, trace_id, record_index, '{"gen_ai.prompt": "why?"}' from added where has_content)
     insert into evaluations (time, time_unix_nano, resource_id, entry_ms, entry_seq, record_index, position, signal, name, score)
     select start_time, start_time_unix_nano, 1, entry_ms, entry_seq, record_index, 0, 'traces', 'tone', 1 from added where has_content`,
    [time, rows, service, code, hasContent],
  )
}

/** Data points of a series. */
export async function addPoints(
  client: Pick<pg.ClientBase, 'query'>,
  { time, rows, seriesId = 1 }: { readonly time: number; readonly rows: number; readonly seriesId?: number },
): Promise<void> {
  await client.query(
    `insert into metric_points (time, time_unix_nano, series_id, entry_ms, entry_seq, record_index, value)
     select to_timestamp($1::float8 / 1000), $1::bigint * 1000000, $3, $1::bigint, n, 0, n from generate_series(1, $2::int) as n`,
    [time, rows, seriesId],
  )
}
