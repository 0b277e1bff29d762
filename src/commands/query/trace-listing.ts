import { Readable } from 'node:stream'
import { csvOfJson } from '../../http/encoders/csv-of-json.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { TRACE_CSV, type TraceRepository } from '../../repositories/trace-repository.ts'
import { formatCost, formatNanos, formatTime } from './format-value.ts'
import type { Listing } from './listing.ts'
import type { TableColumn } from './table-column.ts'

/** What is shown of `TraceRepository.summary`. */
export interface TraceSummary {
  readonly traceId: string
  readonly startTimeUnixNano: string
  readonly durationNs: number
  readonly name: string
  readonly service: string
  readonly services: readonly string[]
  readonly spanCount: number
  readonly errorCount: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cost?: number
}

const COLUMNS: readonly TableColumn<TraceSummary>[] = [
  { heading: 'TRACE', cell: ({ traceId }) => traceId },
  {
    heading: 'START',
    cell: ({ startTimeUnixNano }) => `${formatTime(startTimeUnixNano).slice(0, 19)}Z`,
    style: () => 'faint',
  },
  { heading: 'DURATION', cell: ({ durationNs }) => formatNanos(durationNs), align: 'right' },
  { heading: 'SPANS', cell: ({ spanCount }) => String(spanCount), align: 'right', needsWidth: 100 },
  {
    heading: 'ERRORS',
    cell: ({ errorCount }) => (errorCount === 0 ? '' : String(errorCount)),
    style: () => 'bad',
    align: 'right',
    needsWidth: 100,
  },
  {
    heading: 'TOKENS',
    cell: ({ inputTokens = 0, outputTokens = 0 }) =>
      inputTokens + outputTokens === 0 ? '' : String(inputTokens + outputTokens),
    align: 'right',
    needsWidth: 140,
  },
  {
    heading: 'COST',
    cell: ({ cost }) => (cost === undefined ? '' : formatCost(cost)),
    align: 'right',
    needsWidth: 140,
  },
  { heading: 'SERVICE', cell: ({ service }) => service, maxWidth: 20, needsWidth: 120 },
  {
    heading: 'NAME',
    cell: ({ name, errorCount }) => (errorCount > 0 ? `✗ ${name}` : name),
    style: ({ errorCount }) => (errorCount > 0 ? 'bad' : undefined),
  },
]

/** Of so many the first ones come at once, by windows of time; for all others one query is faster. */
const FIRST_TRACES = 1000

/** Traces with a span that matches, each in short, the newest first. */
export function traceListing(
  traces: TraceRepository,
  filter: Omit<RecordFilter, 'limit'>,
): Listing<TraceSummary> {
  return {
    noun: 'traces',
    first: 'the newest',
    columns: COLUMNS,
    csv: TRACE_CSV,
    open: async ({ form, limit, signal }) => {
      const rows = Readable.from(readTraces(traces, { ...filter, limit }, signal))
      return form === 'csv' ? csvOfJson(rows, TRACE_CSV) : rows
    },
  }
}

async function* readTraces(
  traces: TraceRepository,
  filter: RecordFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly [string]> {
  const { limit } = filter
  const first = Math.min(limit ?? FIRST_TRACES, FIRST_TRACES)
  const page = await traces.pageTraces({ ...filter, limit: first }, undefined, signal)
  for (const json of page.traces) yield [json]
  if (page.end === undefined || first === limit) return
  const left = limit === null ? null : limit - first
  const rows = await traces.streamTraces({ ...filter, limit: left }, page.end, signal)
  for await (const [json] of rows as AsyncIterable<readonly [string]>) yield [json]
}
