import { csvOfJson } from '../../http/encoders/csv-of-json.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { type Grouping, groupedCsv } from '../../repositories/grouped-query.ts'
import { LLM_USAGE, type StatisticsRepository } from '../../repositories/statistics-repository.ts'
import { formatCount } from '../text-table.ts'
import { formatCost, formatNanos, formatTime } from './format-value.ts'
import type { Listing } from './listing.ts'
import type { TableColumn } from './table-column.ts'

interface Quantiles {
  readonly p50: number
  readonly p95: number
}

interface UsageRow {
  readonly timeUnixNano?: string
  readonly calls: number
  readonly errorCount: number
  readonly errorRate: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cost: number
  readonly callsWithoutCost: number
  readonly durationNs: Quantiles | null
  readonly timeToFirstTokenNs: Quantiles | null
  readonly [group: string]: unknown
}

const RIGHT = { align: 'right' } as const

const MEASURE_COLUMNS: readonly TableColumn<UsageRow>[] = [
  { heading: 'CALLS', cell: ({ calls }) => formatCount(calls), ...RIGHT },
  {
    heading: 'ERRORS',
    cell: ({ errorCount, errorRate }) => (errorCount === 0 ? '' : `${(100 * errorRate).toFixed(1)} %`),
    style: () => 'bad',
    ...RIGHT,
  },
  { heading: 'TOKENS IN', cell: ({ inputTokens }) => formatCount(inputTokens), ...RIGHT },
  { heading: 'OUT', cell: ({ outputTokens }) => formatCount(outputTokens), ...RIGHT },
  { heading: 'COST', cell: costOf, ...RIGHT },
  { heading: 'P50', cell: ({ durationNs }) => nanosOf(durationNs?.p50), ...RIGHT },
  { heading: 'P95', cell: ({ durationNs }) => nanosOf(durationNs?.p95), ...RIGHT },
  {
    heading: 'FIRST TOKEN P50',
    cell: ({ timeToFirstTokenNs }) => nanosOf(timeToFirstTokenNs?.p50),
    needsWidth: 100,
    ...RIGHT,
  },
]

/** Calls of models, added up by what they have in common. */
export function usageListing(
  statistics: StatisticsRepository,
  filter: Omit<RecordFilter, 'limit'>,
  grouping: Grouping,
): Listing<UsageRow> {
  const { by, step } = grouping
  const csv = groupedCsv(LLM_USAGE, grouping)
  const time = {
    heading: 'TIME',
    cell: ({ timeUnixNano = '0' }: UsageRow) => `${formatTime(timeUnixNano).slice(0, 19)}Z`,
  }
  return {
    noun: 'lines',
    first: 'the first',
    columns: [
      ...(step === undefined ? [] : [time]),
      ...by.map((word) => ({
        heading: word.toUpperCase(),
        cell: ({ [word]: group }: UsageRow) => (group === null ? '(none)' : String(group)),
        maxWidth: 32,
      })),
      ...MEASURE_COLUMNS,
    ],
    csv,
    open: async ({ form, limit, signal }) => {
      const rows = await statistics.streamGroups(LLM_USAGE, { ...filter, limit }, { ...grouping, signal })
      return form === 'csv' ? csvOfJson(rows, csv) : rows
    },
  }
}

/** A sum that some calls are missing from, for their price is not known, is at least so much. */
function costOf({ cost, calls, callsWithoutCost }: UsageRow): string {
  if (callsWithoutCost === calls) return ''
  return `${callsWithoutCost > 0 ? '≥' : ''}${formatCost(cost)}`
}

function nanosOf(nanos: number | undefined): string {
  return nanos === undefined ? '' : formatNanos(nanos)
}
