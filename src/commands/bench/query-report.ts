import { formatBytes, formatCount, textTable } from '../text-table.ts'
import { median, percentile } from './statistics.ts'

/** One reading of all spans. */
export interface ExportRun {
  readonly by: 'service' | 'psql'
  readonly rowsPerSecond: number
  /** Until the first byte of the body; of the service alone. */
  readonly firstByteMs?: number
  /** The most that the service held above what it held before the first one. */
  readonly rssRiseBytes?: number
}

/** What `bench query` measured. */
export interface QueryReport {
  readonly commit: string | null
  readonly rows: number
  readonly partitions: number
  readonly postgres: string
  readonly exports: readonly ExportRun[]
  readonly slowClient: { readonly seconds: number; readonly bytes: number; readonly rssRiseBytes: number }
  /** Milliseconds of each request. */
  readonly latencies: readonly {
    readonly what: string
    readonly ms: readonly number[]
    readonly failed: number
  }[]
}

/** The report for a person. */
export function formatQueryReport(report: QueryReport): string {
  const { rows, partitions, exports, slowClient, latencies } = report
  const of = (by: ExportRun['by']) => exports.filter((run) => run.by === by)
  const rate = (by: ExportRun['by']) => median(of(by).map(({ rowsPerSecond }) => rowsPerSecond))
  const [service, psql] = [rate('service'), rate('psql')]
  const rises = of('service').map(({ rssRiseBytes = 0 }) => rssRiseBytes)
  const firstBytes = of('service').map(({ firstByteMs = 0 }) => firstByteMs)
  const perSecond = (value: number) => `${formatCount(Math.round(value))} rows/s`
  return `${report.postgres}, commit ${report.commit ?? 'unknown'}
${formatCount(rows)} spans and as many log records in one day, a few in each of ${partitions - 1} days before

all spans as NDJSON: ${perSecond(service)}; psql ${psql === 0 ? 'is not there' : `${perSecond(psql)}; ratio ${(service / psql).toFixed(2)}`}
first byte after ${Math.max(...firstBytes).toFixed(0)} ms at most; memory rose by ${formatBytes(Math.max(...rises))} at most
a client that reads ${formatBytes(slowClient.bytes / slowClient.seconds)}/s for ${slowClient.seconds.toFixed(0)} s: memory rose by ${formatBytes(slowClient.rssRiseBytes)} at most

${textTable(
  [
    { heading: 'request' },
    { heading: 'times', align: 'right' },
    { heading: 'median ms', align: 'right' },
    { heading: 'p95 ms', align: 'right' },
    { heading: 'failed', align: 'right' },
  ],
  latencies.map(({ what, ms, failed }) => [
    what,
    formatCount(ms.length),
    median(ms).toFixed(1),
    percentile(ms, 0.95).toFixed(1),
    String(failed),
  ]),
)}`
}
