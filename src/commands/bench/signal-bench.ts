import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { assertStored } from './assert-stored.ts'
import type { BenchRun } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { type Contender, type ContendersOptions, createContenders } from './contenders.ts'
import { type FillSignalOptions, fillSignal } from './fill-signal.ts'
import { runIngest } from './ingest-run.ts'
import { RECORD_NAMES } from './signal-tables.ts'
import { startOver } from './start-over.ts'

/** How every contender for the records of one signal ran. */
export interface SignalResult {
  readonly signal: TelemetrySignal
  readonly rows: number
  /** Of JSON, on average. */
  readonly recordBytes: number
  readonly contenders: readonly (Omit<Contender, 'run'> & { readonly runs: readonly BenchRun[] })[]
}

export interface SignalBenchOptions extends ContendersOptions, FillSignalOptions {
  readonly rounds: number
}

/**
 * Runs all contenders for the records of one signal, each once in every round, and each round beginning with another one. An ingest before
 * the first round counts for none: it makes the rows that are copied, and the files that PostgreSQL then has.
 */
export async function benchSignal(bench: BenchSetup, options: SignalBenchOptions): Promise<SignalResult> {
  const { signal, rows, rounds } = options
  const filled = await fillSignal(bench, options)
  const name = RECORD_NAMES[signal]
  bench.tell(`${name}: ingesting once to begin with`)
  const streamPrefix = filled.prefixOf('json')
  await startOver(bench, streamPrefix)
  await runIngest(bench, { signal, streamPrefix, rows })
  const contenders = await createContenders(bench, filled, options)
  const runs = new Map<Contender, BenchRun[]>(contenders.map((contender) => [contender, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of rotated(contenders, round)) {
      const run = await contender.run()
      await assertStored(bench, signal, { rows, by: contender.name })
      runs.get(contender)?.push(run)
      bench.tell(
        `${name}, round ${round + 1} of ${rounds}: ${contender.name}: ${Math.round(run.rowsPerSecond)} rows/s`,
      )
    }
  }
  await filled.empty()
  const results = [...runs].map(([{ run: _run, ...contender }, done]) => ({ ...contender, runs: done }))
  return { signal, rows, recordBytes: filled.recordBytes, contenders: results }
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = items.length === 0 ? 0 : by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
