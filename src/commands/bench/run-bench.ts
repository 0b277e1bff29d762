import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { type BenchReport, REPORT_FORMAT } from './bench-report.ts'
import type { BenchSetup } from './bench-setup.ts'
import { checkedOutCommit } from './checked-out-commit.ts'
import type { IngestPart } from './contenders.ts'
import type { EntryForm } from './entry-form.ts'
import { type FreshnessResult, measureFreshness } from './freshness.ts'
import { type GrowthResult, measureGrowth } from './growth.ts'
import type { GrowthAxisKey } from './growth-axes.ts'
import { describeMachine } from './machine.ts'
import { Psql } from './psql.ts'
import { medianRate } from './run-figures.ts'
import { benchSignal, type SignalResult } from './signal-bench.ts'

export const BENCH_PARTS = ['ingest', 'copy', 'insert', 'freshness', 'growth'] as const

export type BenchPart = (typeof BENCH_PARTS)[number]

export interface BenchOptions {
  readonly parts: readonly BenchPart[]
  readonly signals: readonly TelemetrySignal[]
  readonly forms: readonly EntryForm[]
  readonly rows: number
  readonly rounds: number
  readonly growthRows: number
  readonly growthRounds: number
  readonly axes: readonly GrowthAxisKey[]
  readonly large: boolean
  /** Of each load of freshness. */
  readonly seconds: number
  readonly seed: number
  readonly cpuProf?: string | undefined
}

/** Runs the parts that are asked for, one after the other. @param notes what `setup.note` was told. */
export async function runBench(
  setup: BenchSetup,
  options: BenchOptions,
  notes: ReadonlySet<string>,
): Promise<BenchReport> {
  const started = new Date()
  const psql = await Psql.find(setup.databaseUrl, setup.stopping)
  if (psql === undefined && options.parts.includes('copy')) {
    setup.note('no psql is on the PATH: the bench itself sent the files by COPY FROM STDIN')
  }
  const machine = await describeMachine(setup, psql)
  const nowMs = started.getTime()
  const signals = await benchSignals(setup, options, psql, nowMs)
  const freshness = await benchFreshness(setup, options, signals)
  const growth = await benchGrowth(setup, options, nowMs)
  const { rows, rounds, seed } = options
  return {
    format: REPORT_FORMAT,
    commit: await checkedOutCommit(),
    startedAt: started.toISOString(),
    seconds: Math.round((Date.now() - started.getTime()) / 1000),
    options: { rows, rounds, seed },
    machine,
    signals,
    freshness,
    growth,
    notes: [...notes],
  }
}

async function benchSignals(
  setup: BenchSetup,
  options: BenchOptions,
  psql: Psql | undefined,
  nowMs: number,
): Promise<readonly SignalResult[]> {
  const results: SignalResult[] = []
  const parts = options.parts.filter((part): part is IngestPart => part !== 'freshness' && part !== 'growth')
  if (parts.length > 0) {
    for (const signal of options.signals) {
      results.push(await benchSignal(setup, { ...options, signal, parts, psql, nowMs }))
    }
  }
  if (options.parts.includes('freshness') && peakOf(results) === undefined) {
    const what = { signal: 'traces', forms: ['json'], parts: ['ingest'], psql, nowMs } as const
    results.push(await benchSignal(setup, { ...options, ...what }))
  }
  return results
}

async function benchFreshness(
  setup: BenchSetup,
  { parts, seconds, seed }: BenchOptions,
  signals: readonly SignalResult[],
): Promise<readonly FreshnessResult[]> {
  const peakRowsPerSecond = peakOf(signals)
  if (!parts.includes('freshness') || peakRowsPerSecond === undefined) return []
  return measureFreshness(setup, { peakRowsPerSecond, seconds, seed })
}

/** The rate of single-record spans. */
function peakOf(signals: readonly SignalResult[]): number | undefined {
  const services = signals.filter(({ signal }) => signal === 'traces').flatMap(({ contenders }) => contenders)
  return medianRate(services.find(({ form }) => form === 'json')?.runs)
}

async function benchGrowth(
  setup: BenchSetup,
  { parts, axes, growthRows: rows, growthRounds: rounds, large, seed }: BenchOptions,
  nowMs: number,
): Promise<readonly GrowthResult[]> {
  if (!parts.includes('growth')) return []
  return measureGrowth(setup, { axes, rows, rounds, large, seed, nowMs })
}
