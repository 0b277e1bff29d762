import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { PartitionedTable } from '../../retention/partitions.ts'

/** The tables that records of each signal have rows in. */
export const SIGNAL_TABLES: Readonly<Record<TelemetrySignal, readonly PartitionedTable[]>> = {
  traces: ['spans', 'span_contents'],
  logs: ['log_records'],
  metrics: ['metric_points'],
}

/** What a person calls the records of each signal, as on the command line. */
export const RECORD_NAMES: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'spans',
  logs: 'logs',
  metrics: 'points',
}
