import { streamKey } from '../../models/stream-entry.ts'
import type { BenchRun } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { fillStream } from './fill-stream.ts'
import { type AxisPoint, type GrowthAxesOptions, type GrowthAxis, growthAxes } from './growth-axes.ts'
import { runIngest } from './ingest-run.ts'
import { startOver } from './start-over.ts'
import { storeSpans } from './stored-rows.ts'
import { createWorkload } from './workload.ts'

/** How ingest ran at each value of one axis. */
export interface GrowthResult {
  readonly axis: string
  readonly unit: string
  readonly signal: GrowthAxis['signal']
  readonly points: readonly {
    readonly value: number
    readonly rows: number
    readonly runs: readonly BenchRun[]
  }[]
}

export interface GrowthOptions extends GrowthAxesOptions {
  readonly rounds: number
  readonly seed: number
  readonly nowMs: number
}

const WARM_UP_ROWS = 1000

/** Measures one axis after the other; within a round each of its points once. */
export async function measureGrowth(
  bench: BenchSetup,
  options: GrowthOptions,
): Promise<readonly GrowthResult[]> {
  const results: GrowthResult[] = []
  for (const axis of growthAxes(options)) {
    const runs = new Map<AxisPoint, BenchRun[]>(axis.points.map((point) => [point, []]))
    await makePartitions(bench, axis, options)
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const [point, done] of runs) {
        const run = await runPoint(bench, axis, point, options)
        done.push(run)
        bench.tell(
          `growth, round ${round} of ${options.rounds}: ${axis.name} ${point.value}: ${run.fromFirstRead?.rowsPerSecond} rows/s`,
        )
      }
    }
    const points = [...runs].map(([{ value, rows }, done]) => ({ value, rows, runs: done }))
    results.push({ axis: axis.name, unit: axis.unit, signal: axis.signal, points })
  }
  return results
}

/** Partitions are made once: what that takes is not the price of having them. Rows that are stored before need theirs, too. */
async function makePartitions(bench: BenchSetup, axis: GrowthAxis, options: GrowthOptions): Promise<void> {
  for (const [index, point] of axis.points.entries()) {
    if (index > 0 && point.workload?.days === undefined) continue
    await runPoint(bench, axis, { ...point, rows: Math.min(WARM_UP_ROWS, point.rows), stored: 0 }, options)
  }
}

async function runPoint(
  bench: BenchSetup,
  { signal }: GrowthAxis,
  { rows, workload: how, stored = 0, workers = 1 }: AxisPoint,
  { seed, nowMs }: GrowthOptions,
): Promise<BenchRun> {
  const { redis, stopping } = bench
  const streamPrefix = `${bench.prefix}-growth`
  const stream = streamKey(streamPrefix, signal)
  const workload = createWorkload(signal, { seed, rows, nowMs, ...how })
  await redis.unlink(stream)
  await fillStream({ redis, stream, workload, form: 'json', rows, stopping })
  await startOver(bench, streamPrefix)
  if (stored > 0) await storeSpans(bench, stored, nowMs)
  const acceptPastDays = how?.days === undefined ? undefined : how.days + 1
  const run = await runIngest(bench, { signal, streamPrefix, rows, workers, acceptPastDays })
  await redis.unlink(stream)
  return run
}
