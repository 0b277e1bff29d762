import { sleep } from '../../lifecycle.ts'
import { streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { type BenchRun, rate } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { ChildModule } from './child-module.ts'
import { type CpuTimes, cpuPerRow } from './cpu-meter.ts'
import type { InsertConsumerOptions, InsertProgress } from './insert-consumer.ts'
import { peakRssBytes } from './peak-rss.ts'

export interface InsertRunOptions {
  readonly signal: TelemetrySignal
  /** Of a stream of single-record JSON entries. */
  readonly streamPrefix: string
  readonly rows: number
}

const POLL_MS = 20

/** What was committed and acknowledged at some moment, and what it had cost. */
interface Moment {
  readonly atMs: number
  readonly rows: number
  readonly cpu: CpuTimes
}

/** One consumer with multi-row INSERTs on the stream, from its first batch on, as the service from its first commit. */
export async function runInsert(bench: BenchSetup, options: InsertRunOptions): Promise<BenchRun> {
  const { signal, streamPrefix, rows } = options
  let progress = { atMs: 0, rows: 0 }
  const { databaseUrl, redisUrl } = bench
  const sent: InsertConsumerOptions = {
    databaseUrl,
    redisUrl,
    signal,
    stream: streamKey(streamPrefix, signal),
  }
  const consumer = new ChildModule<InsertProgress>('insert-consumer', sent, (message) => {
    progress = { atMs: performance.now(), rows: message.rows }
  })
  try {
    const momentOf = async (wanted: number): Promise<Moment> => {
      while (progress.rows < wanted) {
        consumer.assertRunning()
        await sleep(POLL_MS, bench.stopping)
      }
      return { ...progress, cpu: await bench.cpu.read([consumer.pid]) }
    }
    const start: Moment = { atMs: performance.now(), rows: 0, cpu: await bench.cpu.read([consumer.pid]) }
    const first = await momentOf(1)
    const last = await momentOf(rows)
    const from = first.rows > rows / 2 ? start : first
    const [counted, seconds] = [last.rows - from.rows, (last.atMs - from.atMs) / 1000]
    return {
      rows: counted,
      seconds,
      rowsPerSecond: rate(counted, seconds),
      cpuPerRow: cpuPerRow(from.cpu, last.cpu, counted),
      peakRssBytes: peakRssBytes(consumer.pid),
    }
  } finally {
    await consumer.stop()
  }
}
