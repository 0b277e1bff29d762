import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { WorkloadOptions } from './workload.ts'

/** One value on an axis, and how the run at it differs from the others. */
export interface AxisPoint {
  readonly value: number
  readonly rows: number
  readonly workload?: Pick<WorkloadOptions, 'days' | 'attributes' | 'recordBytes'>
  /** Spans that are there before. */
  readonly stored?: number
  readonly workers?: number
}

/** As on the command line. */
export const GROWTH_AXES = ['stored', 'partitions', 'attributes', 'size', 'workers'] as const

export type GrowthAxisKey = (typeof GROWTH_AXES)[number]

/** What grows while everything else stays as it is. */
export interface GrowthAxis {
  readonly key: GrowthAxisKey
  readonly name: string
  readonly unit: string
  readonly signal: TelemetrySignal
  readonly points: readonly AxisPoint[]
}

export interface GrowthAxesOptions {
  readonly axes: readonly GrowthAxisKey[]
  readonly rows: number
  /** Ten million rows stored, too, which takes minutes each round. */
  readonly large: boolean
}

/** Bytes of all records of one run: large records are fewer, or Redis would need gigabytes. */
const MAX_RUN_BYTES = 128 * 1024 * 1024
/** About what one attribute adds to the JSON of a span, and what else is in it. */
const ATTRIBUTE_BYTES = 34
const SPAN_BYTES = 500

/** How does ingest change with what is stored, with what comes, and with how many share the work? */
export function growthAxes({ axes, rows, large }: GrowthAxesOptions): readonly GrowthAxis[] {
  const fitting = (bytes: number): number => Math.max(1, Math.min(rows, Math.floor(MAX_RUN_BYTES / bytes)))
  const stored = [10_000, 100_000, 1_000_000, ...(large ? [10_000_000] : [])]
  const all: readonly GrowthAxis[] = [
    {
      key: 'stored',
      name: 'rows stored before',
      unit: 'rows',
      signal: 'traces',
      points: stored.map((value) => ({ value, rows, stored: value })),
    },
    {
      key: 'partitions',
      name: 'partitions the rows spread over',
      unit: 'partitions',
      signal: 'traces',
      points: [1, 7, 30, 60].map((value) => ({ value, rows, workload: { days: value } })),
    },
    {
      key: 'attributes',
      name: 'attributes of a span',
      unit: 'attributes',
      signal: 'traces',
      points: [1, 10, 100, 300].map((value) => ({
        value,
        rows: fitting(SPAN_BYTES + ATTRIBUTE_BYTES * value),
        workload: { attributes: value },
      })),
    },
    {
      key: 'size',
      name: 'size of a log record',
      unit: 'bytes of JSON',
      signal: 'logs',
      points: [100, 1024, 16 * 1024, 256 * 1024].map((value) => ({
        value,
        rows: fitting(value),
        workload: { recordBytes: value },
      })),
    },
    {
      key: 'workers',
      name: 'workers',
      unit: 'processes',
      signal: 'traces',
      points: [1, 2, 4].map((value) => ({ value, rows, workers: value })),
    },
  ]
  return all.filter(({ key }) => axes.includes(key))
}
