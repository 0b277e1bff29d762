import { Readable } from 'node:stream'
import type pg from 'pg'
import { microseconds, type RecordFilter, whereSql } from './filter.ts'
import { newestSql } from './newest-sql.ts'
import type { TracePosition } from './page-token.ts'
import type { RecordSource } from './record-source.ts'
import { readRows } from './stream-rows.ts'
import { newestFirst, partitionRanges, rangeSql, rangesWithin, type TimeRange } from './time-ranges.ts'

/** Traces as JSON text, and where the next ones begin: after the last of these, undefined where there are no more. */
export interface TracePage {
  readonly traces: readonly string[]
  readonly end: TracePosition | undefined
}

export interface PageTraces {
  readonly source: RecordSource
  /** SQL of a row of `trace_summaries` as JSON text. */
  readonly json: string
  readonly filter: RecordFilter & { readonly limit: number }
  readonly after: TracePosition | undefined
}

/** Newest spans that match, looked at for each trace of a page at first; if they are of too few traces, more and more. */
const SPANS_PER_TRACE = 8
/** In the summary of a trace are its spans within this time of the newest that matches, in nanoseconds: a day. */
const AROUND = 86_400_000_000_000n
/** Summaries of one query are of matches within so many nanoseconds: with what is around them, of 7 days. */
const SUMMARIES_WITHIN = 4n * AROUND

/**
 * Reads a page of traces with a span that matches, those with the newest ones first.
 *
 * Only as many of the newest spans that match are looked at as make a page: a trace without one of them is older than all of those with one. A summary is of all
 * spans within a day of that span, at least; a trace that takes longer is all there by its id.
 */
export async function pageTraces(pool: pg.Pool, page: PageTraces, signal: AbortSignal): Promise<TracePage> {
  const { filter, after } = page
  const { limit } = filter
  const found = await findTraces(pool, page, signal)
  found.sort(
    (a, b) => compare(BigInt(b.newestUnixNano), BigInt(a.newestUnixNano)) || compare(b.traceId, a.traceId),
  )
  const wanted = found.filter((trace) => after === undefined || isAfter(trace, after))
  const shown = wanted.slice(0, limit)
  const summaries = await readSummaries(pool, { json: page.json, traces: shown }, signal)
  return {
    traces: shown.flatMap(({ traceId }) => summaries.get(traceId) ?? []),
    end: wanted.length > limit ? shown.at(-1) : undefined,
  }
}

export interface StreamTraces extends Omit<PageTraces, 'filter'> {
  readonly filter: RecordFilter
}

/** All traces with a span that matches, or as many as the limit says, page after page: a stream of rows with one column, the trace as JSON text. */
export function streamTraces(pool: pg.Pool, traces: StreamTraces, signal: AbortSignal): Readable {
  return Readable.from(allTraces(pool, traces, signal))
}

const TRACES_PER_PAGE = 500

async function* allTraces(
  pool: pg.Pool,
  { filter, after: first, ...page }: StreamTraces,
  signal: AbortSignal,
): AsyncGenerator<readonly [string]> {
  let left = filter.limit ?? Number.POSITIVE_INFINITY
  let after = first
  do {
    const limit = Math.min(left, TRACES_PER_PAGE)
    const { traces, end } = await pageTraces(pool, { ...page, filter: { ...filter, limit }, after }, signal)
    for (const trace of traces) yield [trace]
    left -= limit
    after = end
  } while (after !== undefined && left > 0)
}

type FoundRow = readonly [traceId: string, newestUnixNano: string, spans: number]

/** The traces of the newest spans that match: more than the limit, or all there are. */
async function findTraces(
  pool: pg.Pool,
  { source, filter, after }: PageTraces,
  signal: AbortSignal,
): Promise<TracePosition[]> {
  const to = after === undefined ? filter.to : min(filter.to, BigInt(after.newestUnixNano) + 1n)
  const older = { ...filter, ...(to !== undefined && { to }) }
  const all = await partitionRanges(pool, source.table)
  const found = new Map<string, TracePosition>()
  const isFirst = (traceId: string) => !found.has(traceId)
  // Others of the last nanosecond of the page before may have been on it: they are found again, and make no page.
  const isNext = (trace: TracePosition) => after === undefined || isAfter(trace, after)
  let next = 0
  for (const range of newestFirst(rangesWithin(all, older))) {
    for (let spans = (filter.limit + 1) * SPANS_PER_TRACE; ; spans *= SPANS_PER_TRACE) {
      const rows = await readRows<FoundRow>(
        pool,
        newestQuery(source, { ...older, limit: spans }, range),
        signal,
      )
      const hasAll = rows.reduce((sum, [, , count]) => sum + count, 0) < spans
      const traces = rows.filter(([traceId]) => isFirst(traceId))
      const listed =
        after === undefined
          ? new Set<string>()
          : await listedBefore(pool, { source, filter, after, traces }, signal)
      const fresh = traces
        .filter(([traceId]) => !listed.has(traceId))
        .map(([traceId, newestUnixNano]) => ({ traceId, newestUnixNano }))
      const more = fresh.filter(isNext).length
      if (!hasAll && next + more <= filter.limit) continue
      for (const trace of fresh) found.set(trace.traceId, trace)
      next += more
      break
    }
    if (next > filter.limit) break
  }
  return [...found.values()]
}

function newestQuery(source: RecordSource, filter: PageTraces['filter'], range: TimeRange) {
  const { columns } = source
  const { text, values } = newestSql(source, { ...filter, order: 'desc' }, { range, more: ['trace_id'] })
  return {
    text: `
      select replace(trace_id::text, '-', ''), max(${columns.timeUnixNano})::text, count(*)::int
      from (${text}) as newest group by trace_id`,
    values,
  }
}

/** Those of the traces that have a match newer than where the page before ended: they were listed. */
async function listedBefore(
  pool: pg.Pool,
  {
    source,
    filter,
    after,
    traces,
  }: Pick<PageTraces, 'source' | 'filter'> & {
    readonly after: TracePosition
    readonly traces: readonly FoundRow[]
  },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const listed = new Set<string>()
  if (traces.length === 0) return listed
  const newer = { ...filter, from: BigInt(after.newestUnixNano) + 1n }
  const ranges = rangesWithin(await partitionRanges(pool, source.table), newer)
  for (const range of newestFirst(ranges)) {
    const { where, values } = whereSql(newer, source.columns)
    const text = `
      select distinct replace(trace_id::text, '-', '') from ${source.view}
      ${where} ${rangeSql(source.columns.time, range, values)}
        and trace_id = any ($${values.push(traces.map(([traceId]) => traceId))}::uuid[])`
    for (const [traceId] of await readRows<readonly [string]>(pool, { text, values }, signal))
      listed.add(traceId)
  }
  return listed
}

async function readSummaries(
  pool: pg.Pool,
  { json, traces }: { readonly json: string; readonly traces: readonly TracePosition[] },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const summaries = new Map<string, string>()
  for (let next = 0; next < traces.length; ) {
    const newest = BigInt(traces[next]?.newestUnixNano ?? 0)
    const group = traces
      .slice(next)
      .filter((trace) => BigInt(trace.newestUnixNano) > newest - SUMMARIES_WITHIN)
    next += group.length
    const oldest = BigInt(group.at(-1)?.newestUnixNano ?? newest)
    const text = `
      select trace_id_hex, ${json} from trace_summaries($1::timestamptz, $2::timestamptz)
      where trace_id = any ($3::uuid[])`
    const values = [
      microseconds(oldest - AROUND),
      microseconds(newest + AROUND),
      group.map(({ traceId }) => traceId),
    ]
    const rows = await readRows<readonly [string, string]>(pool, { text, values }, signal)
    for (const [traceId, summary] of rows) summaries.set(traceId, summary)
  }
  return summaries
}

function isAfter({ newestUnixNano, traceId }: TracePosition, after: TracePosition): boolean {
  const order =
    compare(BigInt(newestUnixNano), BigInt(after.newestUnixNano)) || compare(traceId, after.traceId)
  return order < 0
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function min(a: bigint | undefined, b: bigint): bigint {
  return a === undefined || b < a ? b : a
}
