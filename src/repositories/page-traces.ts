import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import type { TracePosition } from './page-token.ts'
import { readRows, type SqlQuery, streamRows } from './stream-rows.ts'

const NANOS_PER_HOUR = 3_600_000_000_000n
/** The newest traces are mostly of the last hour; if there are too few, more is looked through. Undefined is everything. */
const WINDOWS = [NANOS_PER_HOUR, 24n * NANOS_PER_HOUR, 8n * 24n * NANOS_PER_HOUR, undefined]

/** Traces as JSON text, and where the next ones begin: after the last of these, undefined where there are no more. */
export interface TracePage {
  readonly traces: readonly string[]
  readonly end: TracePosition | undefined
}

export interface PageTraces {
  readonly columns: FilterColumns
  /** SQL of a row of `traces` as JSON text. */
  readonly json: string
  readonly filter: RecordFilter & { readonly limit: number }
  readonly after: TracePosition | undefined
}

type TraceRow = readonly [json: string, newest: string, traceId: string]

/**
 * Reads a page of traces with a span that matches, those with the newest ones first.
 *
 * A trace with a match within a window of time is newer than all without one, so the windows that end now are tried one after the other, until one has enough.
 */
export async function pageTraces(pool: pg.Pool, page: PageTraces, signal: AbortSignal): Promise<TracePage> {
  const { filter, after } = page
  const end =
    after === undefined ? (filter.to ?? BigInt(Date.now()) * 1_000_000n) : BigInt(after.newestUnixNano)
  for (const window of WINDOWS) {
    const from = window === undefined ? undefined : end - window
    const isAll = from === undefined || (filter.from !== undefined && from <= filter.from)
    const rows = await readTraces(pool, isAll ? page : { ...page, filter: { ...filter, from } }, signal)
    if (rows.length > filter.limit || isAll) return toPage(rows, filter.limit)
  }
  return { traces: [], end: undefined }
}

/**
 * All traces with a span that matches, or as many as the limit says, in the order of pages: a stream of rows whose first column is the trace as JSON text. One query looks for all of
 * them before the first one comes; a page looks through all newer spans again.
 */
export function streamTraces(
  pool: pg.Pool,
  traces: Omit<PageTraces, 'filter'> & { readonly filter: RecordFilter },
  signal: AbortSignal,
): Promise<Readable> {
  return streamRows(pool, tracesQuery(traces), signal)
}

function readTraces(pool: pg.Pool, page: PageTraces, signal: AbortSignal): Promise<TraceRow[]> {
  const { filter } = page
  return readRows<TraceRow>(
    pool,
    tracesQuery({ ...page, filter: { ...filter, limit: filter.limit + 1 } }),
    signal,
  )
}

function tracesQuery({
  columns,
  json,
  filter,
  after,
}: Omit<PageTraces, 'filter'> & { readonly filter: RecordFilter }): SqlQuery {
  const { where, values } = whereSql(filter, columns)
  const newest = `max(${columns.timeUnixNano})`
  const having =
    after === undefined
      ? ''
      : `having (${newest}, trace_id) < ($${values.push(after.newestUnixNano)}::bigint, $${values.push(after.traceId)}::uuid)`
  const text = `
    select ${json}, newest::text, trace_id_hex
    from (
      select trace_id, ${newest} as newest from span_view ${where} group by trace_id ${having}
      order by newest desc, trace_id desc limit $${values.push(filter.limit)}
    ) as matched
    join lateral (select * from traces t where t.trace_id = matched.trace_id offset 0) as trace using (trace_id)
    order by newest desc, trace_id desc`
  return { text, values }
}

/** One more than asked for says whether there is a next page. */
function toPage(rows: readonly TraceRow[], limit: number): TracePage {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const end = rows.length > limit && last ? { newestUnixNano: last[1], traceId: last[2] } : undefined
  return { traces: page.map(([json]) => json), end }
}
