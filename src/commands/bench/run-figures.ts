import { formatBytes, formatCount } from '../text-table.ts'
import type { BenchRun } from './bench-run.ts'
import type { CpuTimes } from './cpu-meter.ts'
import { median } from './statistics.ts'

/** Median rows/s; undefined of no run. */
export function medianRate(runs: readonly BenchRun[] | undefined): number | undefined {
  return runs === undefined || runs.length === 0 ? undefined : median(runs.map((run) => run.rowsPerSecond))
}

/** Microseconds a row; undefined where a run could not tell. */
export function medianCpu(runs: readonly BenchRun[], of: keyof CpuTimes): number | undefined {
  const known = runs.flatMap(({ cpuPerRow }) => cpuPerRow[of] ?? [])
  return known.length === 0 ? undefined : median(known)
}

/** `0.53`; empty where one of the two is not known. */
export function ratio(value: number | undefined, base: number | undefined): string {
  return value === undefined || base === undefined || base === 0 ? '' : (value / base).toFixed(2)
}

/** One digit after the point; empty when it is not known. */
export function micros(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(1)
}

/** The most memory that any run held; empty when none tells. */
export function peakOf(runs: readonly BenchRun[]): string {
  const peaks = runs.flatMap(({ peakRssBytes }) => peakRssBytes ?? [])
  return peaks.length === 0 ? '' : formatBytes(Math.max(...peaks))
}

/** Median rows/s from the first read on; undefined of runs that do not tell it. */
export function medianWholeRate(runs: readonly BenchRun[]): number | undefined {
  const rates = runs.flatMap(({ fromFirstRead }) => fromFirstRead?.rowsPerSecond ?? [])
  return rates.length === 0 ? undefined : median(rates)
}

/** `36,894`; empty when it is not known. */
export function wholeNumber(value: number | undefined): string {
  return value === undefined ? '' : formatCount(Math.round(value))
}
