import { ObservatoryError } from '../../errors.ts'
import { csvNameOf, csvOfJson } from '../../http/encoders/csv-of-json.ts'
import type { MetricRepository } from '../../repositories/metric-repository.ts'
import type { Aggregate } from '../../repositories/metrics/aggregates.ts'
import { type MetricQuery, seriesCsv } from '../../repositories/metrics/metric-query.ts'
import { readingFlags } from './flag-name.ts'
import { formatTime } from './format-value.ts'
import type { Listing } from './listing.ts'

interface SeriesRow {
  readonly timeUnixNano?: string
  readonly labels: Readonly<Record<string, unknown>>
  readonly [aggregate: Aggregate | string]: unknown
}

/** A time series of a metric: a line a step and labels. */
export function seriesListing(
  metrics: MetricRepository,
  query: Omit<MetricQuery, 'limit'>,
): Listing<SeriesRow> {
  const { name, by, step, aggregates } = query
  const paths = seriesCsv(query)
  const times = step === undefined ? [] : ['timeUnixNano']
  return {
    noun: 'lines',
    first: 'the first',
    columns: [
      ...times.map((heading) => ({
        heading: heading === 'timeUnixNano' ? 'TIME' : heading,
        cell: ({ timeUnixNano = '0' }: SeriesRow) => `${formatTime(timeUnixNano).slice(0, 19)}Z`,
      })),
      ...by.map((label) => ({
        heading: label.toUpperCase(),
        cell: ({ labels }: SeriesRow) => String(labels[label] ?? '(none)'),
        maxWidth: 32,
      })),
      ...aggregates.map((aggregate) => ({
        heading: aggregate.toUpperCase(),
        cell: ({ [aggregate]: value }: SeriesRow) => (value === null ? '' : String(value)),
        align: 'right' as const,
      })),
    ],
    csv: paths.map(csvNameOf),
    open: async ({ form, limit, signal }) => {
      const rows = await metrics.queryMetric({ ...query, limit }, signal).catch((error: unknown) =>
        readingFlags((): undefined => {
          throw error
        }),
      )
      if (rows === undefined) {
        throw new ObservatoryError(
          'ERR_USAGE',
          `no metric is called ${name}: "observatory query metrics" lists those there are`,
        )
      }
      return form === 'csv' ? csvOfJson(rows, paths) : rows
    },
  }
}
