import type { AttributeValue } from '../../models/attributes.ts'
import { stringifyJson } from '../../models/json.ts'
import type { RecordFilter } from '../../repositories/filter.ts'
import { type MetricRepository, POINTS } from '../../repositories/metric-repository.ts'
import { formatTime } from './format-value.ts'
import type { Listing } from './listing.ts'
import { recordListing } from './record-listing.ts'
import type { TableColumn } from './table-column.ts'

type Numeric = number | bigint | string

interface PointRow {
  readonly timeUnixNano: string
  readonly service: string
  readonly unit?: string
  /** Of gauges and sums. */
  readonly value?: Numeric
  /** Of histograms and summaries. */
  readonly count?: Numeric
  readonly sum?: Numeric
  readonly min?: Numeric
  readonly max?: Numeric
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

const COLUMNS: readonly TableColumn<PointRow>[] = [
  { heading: 'TIME', cell: ({ timeUnixNano }) => formatTime(timeUnixNano), style: () => 'faint' },
  { heading: 'SERVICE', cell: ({ service }) => service, maxWidth: 16 },
  { heading: 'VALUE', cell: valueText, align: 'right', maxWidth: 48 },
  {
    heading: 'ATTRIBUTES',
    cell: ({ attributes }) =>
      Object.entries(attributes)
        .map(([key, value]) => `${key}=${typeof value === 'string' ? value : stringifyJson(value)}`)
        .join(' '),
    style: () => 'faint',
  },
]

/** Points of metrics that match. */
export function pointListing(
  metrics: MetricRepository,
  filter: Omit<RecordFilter, 'limit'>,
): Listing<PointRow> {
  const reads = { stream: metrics.streamPoints.bind(metrics), page: metrics.pagePoints.bind(metrics) }
  return recordListing({ noun: 'points', source: POINTS, columns: COLUMNS, filter, reads })
}

/** `12.5 ms`; of a histogram `count 3, sum 12.5 ms, min 1 ms, max 8 ms`. */
function valueText({ value, unit, ...histogram }: PointRow): string {
  // The unit 1 is that of what has none.
  const withUnit = (number: Numeric) =>
    unit === undefined || unit === '1' ? `${number}` : `${number} ${unit}`
  if (value !== undefined) return withUnit(value)
  const parts = (['count', 'sum', 'min', 'max'] as const).map((name) => {
    const number = histogram[name]
    if (number === undefined) return undefined
    return `${name} ${name === 'count' ? number : withUnit(number)}`
  })
  return parts.filter((part) => part !== undefined).join(', ')
}
