import { formatBytes, textTable } from '../text-table.ts'
import type { FreshnessResult } from './freshness.ts'
import { wholeNumber } from './run-figures.ts'

/** A line for each load: from XADD until a query finds the span, in milliseconds. */
export function formatFreshness(results: readonly FreshnessResult[]): string {
  const headings = [
    'wanted/s',
    'added/s',
    'p50 ms',
    'p99 ms',
    'max ms',
    'probes',
    'unseen',
    'lag at end',
    'peak RSS',
  ]
  const columns = [
    { heading: 'of peak' },
    ...headings.map((heading) => ({ heading, align: 'right' as const })),
  ]
  const lines = results.map((result) => [
    `${Math.round(result.share * 100)} %`,
    wholeNumber(result.wantedRowsPerSecond),
    wholeNumber(result.addedRowsPerSecond),
    wholeNumber(result.p50Ms),
    wholeNumber(result.p99Ms),
    wholeNumber(result.maxMs),
    wholeNumber(result.probes),
    wholeNumber(result.unseen),
    result.lagEntries === null ? '' : wholeNumber(result.lagEntries),
    result.peakRssBytes === undefined ? '' : formatBytes(result.peakRssBytes),
  ])
  return `freshness of spans, XADD to queryable, service with default settings\n${textTable(columns, lines)}`
}
