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
  readonly watchers: number
  readonly seconds: number
  readonly rounds: number
  /** Three of each round, with no tail, with one, with many; then one more with none. */
  readonly runs: readonly TailRun[]
}

/** How many times as long a record takes from XADD to a query with many tails as with none, at the 99th percentile. */
export interface FreshnessRatio {
  /** Of all probes of all rounds. */
  readonly ratio: number
  /** Of each round to the runs with none before and after it. */
  readonly rounds: readonly number[]
}

export function freshnessRatio({
  runs,
}: {
  readonly runs: readonly Pick<TailRun, 'freshnessMs'>[]
}): FreshnessRatio {
  const p99 = (some: typeof runs) =>
    percentile(
      some.flatMap(({ freshnessMs }) => freshnessMs),
      0.99,
    )
  const none = runs.filter((_, index) => index % 3 === 0)
  const many = runs.filter((_, index) => index % 3 === 2)
  return {
    ratio: p99(many) / p99(none),
    rounds: many.map((run, round) => p99([run]) / p99(none.slice(round, round + 2))),
  }
}

/** The report for a person. */
export function formatTailReport(report: TailReport): string {
  const { commit, rowsPerSecond, watchers, seconds, runs } = report
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
  const { ratio, rounds } = freshnessRatio(report)
  const ofRounds = rounds.length > 1 ? ` (${rounds.map((each) => each.toFixed(2)).join(', ')})` : ''
  return `commit ${commit ?? 'unknown'}, ${formatCount(rowsPerSecond)} spans/s for ${seconds} s each

${table}
to query, p99: ${ratio.toFixed(2)} times as long with ${formatCount(watchers)} tails as with none${ofRounds}
`
}
