import { Command } from 'commander'
import { SPAN_COLUMNS, SPANS } from '../../repositories/trace-repository.ts'
import { formatNanos, formatTime } from './format-value.ts'
import { addFilterFlags, addOutputFlags, type QueryFlags, readConditions } from './query-flags.ts'
import { recordListing } from './record-listing.ts'
import { runQuery } from './run-query.ts'
import type { TableColumn } from './table-column.ts'
import { writeListing } from './write-listing.ts'

const EXAMPLES = `
Examples:
  observatory query spans --service assistant --from -15m
  observatory query spans --model gpt-4o --min-duration 2s --order desc --limit 20
  observatory query spans --attr http.response.status_code=500 --json | jq .name
  observatory query spans --from -1d --format csv > spans.csv
  observatory query spans --from -30d --format parquet > spans.parquet`

interface SpanRow {
  readonly traceId: string
  readonly name: string
  readonly kind: string
  readonly service: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano?: string
  readonly status?: { readonly code?: string; readonly message?: string }
}

const isError = ({ status }: SpanRow) => status?.code === 'error'

const COLUMNS: readonly TableColumn<SpanRow>[] = [
  { heading: 'START', cell: ({ startTimeUnixNano }) => formatTime(startTimeUnixNano), style: () => 'faint' },
  { heading: 'DURATION', cell: durationOf, align: 'right' },
  { heading: 'TRACE', cell: ({ traceId }) => traceId, style: () => 'faint', needsWidth: 120 },
  { heading: 'KIND', cell: ({ kind }) => (kind === 'unspecified' ? '' : kind), needsWidth: 140 },
  { heading: 'SERVICE', cell: ({ service }) => service, maxWidth: 16 },
  {
    heading: 'NAME',
    cell: (span) => {
      const { name, status: { message } = {} } = span
      return isError(span) ? `✗ ${name}${message ? `: ${message}` : ''}` : name
    },
    style: (span) => (isError(span) ? 'bad' : undefined),
  },
]

/** `observatory query spans`. */
export function spansCommand(): Command {
  const command = addFilterFlags(new Command('spans').description('List spans that match.'), SPAN_COLUMNS)
  return addOutputFlags(command, { noun: 'spans', areRecords: true })
    .addHelpText('after', EXAMPLES)
    .action(querySpans)
}

async function querySpans(flags: QueryFlags): Promise<void> {
  const { order, limit } = flags
  const filter = { ...readConditions(flags, SPAN_COLUMNS), ...(order !== undefined && { order }) }
  await runQuery(flags, ({ traces, output }) => {
    const reads = { stream: traces.streamSpans.bind(traces), page: traces.pageSpans.bind(traces) }
    return writeListing(
      recordListing({ noun: 'spans', source: SPANS, columns: COLUMNS, filter, reads }),
      limit,
      output,
    )
  })
}

function durationOf({ startTimeUnixNano, endTimeUnixNano }: SpanRow): string {
  return endTimeUnixNano === undefined ? '' : formatNanos(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano))
}
