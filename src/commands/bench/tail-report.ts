import { formatBytes, formatCount, textTable } from '../text-table.ts'
import { percentile } from './statistics.ts'

/** What happened under one load, with so many who watch. */
export interface TailRun {
  readonly watchers: number
  readonly addedRowsPerSecond: number
  /** Records that all of them together should have seen, and have. */
  readonly expected: number
  readonly records: number
  /** Records that did not follow the one before of their service. */
  readonly outOfTurn: number
  readonly dropped: number
  readonly gaps: number
  /** Tails that ended. */
  readonly ended: number
  /** From XADD until a watcher had it. */
  readonly latenciesMs: readonly number[]
  /** From XADD until a query found it. */
  readonly freshnessMs: readonly number[]
  /** Probes that no query had found. */
  readonly unseen: number
  /** Of the service, up to now. */
  readonly peakRssBytes: number | undefined
}

/** What `bench tail` measured. */
export interface TailReport {
  readonly commit: string | null
  readonly rowsPerSecond: number
  readonly seconds: number
  readonly runs: readonly TailRun[]
}

/** The report for a person. */
export function formatTailReport({ commit, rowsPerSecond, seconds, runs }: TailReport): string {
  const ms = (values: readonly number[], share: number) =>
    values.length === 0 ? '' : percentile(values, share).toFixed(1)
  const right = (heading: string) => ({ heading, align: 'right' as const })
  const table = textTable(
    [
      right('tails'),
      right('spans/s'),
      right('to tail p50 ms'),
      right('p99'),
      right('seen'),
      right('of'),
      right('out of turn'),
      right('dropped'),
      right('gaps'),
      right('to query p50 ms'),
      right('p99'),
      right('unseen'),
      right('peak RSS'),
    ],
    runs.map((run) => [
      formatCount(run.watchers),
      formatCount(run.addedRowsPerSecond),
      ms(run.latenciesMs, 0.5),
      ms(run.latenciesMs, 0.99),
      formatCount(run.records),
      formatCount(run.expected),
      formatCount(run.outOfTurn),
      formatCount(run.dropped),
      formatCount(run.gaps),
      ms(run.freshnessMs, 0.5),
      ms(run.freshnessMs, 0.99),
      formatCount(run.unseen),
      run.peakRssBytes === undefined ? '' : formatBytes(run.peakRssBytes),
    ]),
  )
  return `commit ${commit ?? 'unknown'}, ${formatCount(rowsPerSecond)} spans/s for ${seconds} s each\n\n${table}`
}
