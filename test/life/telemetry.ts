import { type BenchRecord, createWorkload } from '../../src/commands/bench/workload.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { DaySums } from './day-sums.ts'

export const DAY_MS = 86_400_000

export interface DayOptions {
  /** Unix milliseconds of its beginning. */
  readonly dayMs: number
  readonly rows: number
  readonly seed: number
}

/** Records of one day, from its beginning to its end; the same seed gives the same ones. */
export function* recordsOfDay(
  signal: TelemetrySignal,
  { dayMs, rows, seed }: DayOptions,
): Generator<BenchRecord> {
  const { record } = createWorkload(signal, { seed: seed ^ (dayMs / DAY_MS), rows, nowMs: dayMs })
  for (let index = 0; index < rows; index += 1) {
    const timeNs = BigInt(dayMs + Math.floor((index * DAY_MS) / rows)) * 1_000_000n + BigInt(index % 1000)
    yield { ...record(index), ...timesOf(signal, timeNs, index) }
  }
}

function timesOf(signal: TelemetrySignal, timeNs: bigint, index: number): BenchRecord {
  if (signal !== 'traces') return { timeUnixNano: String(timeNs) }
  const durationNs = BigInt(index % 7) * 300_000_000n + 1n
  return { startTimeUnixNano: String(timeNs), endTimeUnixNano: String(timeNs + durationNs) }
}

/** What a record adds to the sums of its day. */
export function sumsOfRecord(signal: TelemetrySignal, record: BenchRecord): Partial<DaySums> {
  if (signal === 'metrics') return { points: 1 }
  if (signal === 'logs') return { logs: 1, errorLogs: record.level === 'error' ? 1 : 0 }
  const attributes = record.attributes as Readonly<Record<string, number>>
  return {
    spans: 1,
    spanErrors: record.status === 'error' ? 1 : 0,
    inputTokens: attributes['gen_ai.usage.input_tokens'] ?? 0,
    outputTokens: attributes['gen_ai.usage.output_tokens'] ?? 0,
  }
}
