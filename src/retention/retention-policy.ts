import { parseRetentionRules, type RetentionRule } from '../models/retention-rule.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { Settings } from '../settings.ts'
import type { PartitionRange } from './partition-range.ts'
import type { PartitionedTable } from './partitions.ts'

/** How long telemetry is kept. The first rule that matches a record decides, else the days of its signal; `Infinity` is for ever. */
export interface RetentionPolicy {
  readonly days: Readonly<Record<TelemetrySignal, number>>
  readonly rules: readonly RetentionRule[]
}

export type RetentionSettings = Pick<
  Settings,
  'retentionTracesDays' | 'retentionMetricsDays' | 'retentionLogsDays' | 'retentionRules'
>

/** The policy of settings that were checked. */
export function readRetentionPolicy(settings: RetentionSettings): RetentionPolicy {
  const parsed = parseRetentionRules(settings.retentionRules.join('\n'))
  const days = (setting: number) => (setting === 0 ? Number.POSITIVE_INFINITY : setting)
  return {
    days: {
      traces: days(settings.retentionTracesDays),
      metrics: days(settings.retentionMetricsDays),
      logs: days(settings.retentionLogsDays),
    },
    rules: 'rules' in parsed ? parsed.rules : [],
  }
}

/** Whether anything is ever removed by it. */
export function removesAnything({ days, rules }: RetentionPolicy): boolean {
  return [...Object.values(days), ...rules.map((rule) => rule.days)].some(Number.isFinite)
}

/** A table and what goes with it. In this order, so that no prompt or evaluation goes while its span or log record is there. */
export interface RetainedTable {
  readonly table: PartitionedTable
  readonly signal: TelemetrySignal
  /** Its rows go with the partitions of that table: its own partitions stay while one of the same time is there. */
  readonly follows?: PartitionedTable
  /** Where prompts and completions of its rows are, which are deleted with them. */
  readonly contents?: { readonly table: PartitionedTable; readonly timeColumn: string }
}

export const RETAINED_TABLES: readonly RetainedTable[] = [
  { table: 'spans', signal: 'traces', contents: { table: 'span_contents', timeColumn: 'start_time' } },
  { table: 'span_contents', signal: 'traces', follows: 'spans' },
  { table: 'evaluations', signal: 'traces', follows: 'spans' },
  { table: 'log_records', signal: 'logs', contents: { table: 'log_contents', timeColumn: 'time' } },
  { table: 'log_contents', signal: 'logs', follows: 'log_records' },
  { table: 'metric_points', signal: 'metrics' },
]

const DAY_MS = 86_400_000

/** Whether everything in a partition is older than so many days: the days count from the end of its range, so that nothing is kept for less. */
export function isOlderThan(range: PartitionRange, days: number, nowMs: number): boolean {
  return range.toMs + days * DAY_MS <= nowMs
}
