import { readFileSync } from 'node:fs'
import { messageOf, ObservatoryError } from '../../errors.ts'
import type { FreshnessResult } from './freshness.ts'
import type { GrowthResult } from './growth.ts'
import type { Machine } from './machine.ts'
import type { SignalResult } from './signal-bench.ts'

/** Everything that one run of the bench measured, as it is written by `--json`. */
export interface BenchReport {
  readonly format: typeof REPORT_FORMAT
  readonly commit: string | null
  /** RFC 3339. */
  readonly startedAt: string
  readonly seconds: number
  readonly options: { readonly rows: number; readonly rounds: number; readonly seed: number }
  readonly machine: Machine
  readonly signals: readonly SignalResult[]
  readonly freshness: readonly FreshnessResult[]
  readonly growth: readonly GrowthResult[]
  /** What the numbers cannot say for themselves. */
  readonly notes: readonly string[]
}

/** Reports of another format are not compared. */
export const REPORT_FORMAT = 'observatory bench 1'

/** @throws ObservatoryError ERR_USAGE when the file is no report of this format. */
export function readReport(path: string): BenchReport {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Partial<BenchReport> | null
    if (report?.format === REPORT_FORMAT) return report as BenchReport
    throw new Error(`its format is ${JSON.stringify(report?.format)}`)
  } catch (cause) {
    const message = `${path} is no report to compare with: ${messageOf(cause)}; expected what "observatory bench ingest --json" of this version wrote`
    throw new ObservatoryError('ERR_USAGE', message, { cause })
  }
}
