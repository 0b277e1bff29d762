import type { CpuTimes } from './cpu-meter.ts'

/** What one run of one contender took. */
export interface BenchRun {
  /** Rows and seconds that the rate is of. */
  readonly rows: number
  readonly seconds: number
  readonly rowsPerSecond: number
  /** Of the service: what the rate begins with. */
  readonly from?: 'first commit' | 'first read'
  /** Of the service: rows that it had read when its first commit was seen. */
  readonly readAtFirstCommit?: number
  /** Of the service: from its first read on instead of its first commit, so with its warming up and with all rows. */
  readonly fromFirstRead?: { readonly rows: number; readonly seconds: number; readonly rowsPerSecond: number }
  /** Microseconds a row. */
  readonly cpuPerRow: CpuTimes
  /** The most memory that a process of the contender held. */
  readonly peakRssBytes?: number | undefined
}

/** Rounded to what can be told apart. */
export function rate(rows: number, seconds: number): number {
  return seconds > 0 ? Math.round((rows / seconds) * 10) / 10 : 0
}
