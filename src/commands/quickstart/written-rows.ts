import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'

/** What a service says of itself at `/metrics`. */
export interface WrittenRows {
  /** Rows committed since its start. */
  readonly rows: Readonly<Record<TelemetrySignal, number>>
  readonly total: number
  /** Entries that wait in the streams; undefined when Redis does not know. */
  readonly lag: number | undefined
}

/** Reads the text format of Prometheus, as far as it is needed here. */
export function parseWrittenRows(text: string): WrittenRows {
  const sample = (name: string, signal: TelemetrySignal): number | undefined => {
    const [, value] = new RegExp(`^observatory_${name}\\{signal="${signal}"\\} (\\S+)$`, 'm').exec(text) ?? []
    return value === undefined ? undefined : Number(value)
  }
  const rows = { traces: 0, metrics: 0, logs: 0 }
  let total = 0
  let lag: number | undefined = 0
  for (const signal of TELEMETRY_SIGNALS) {
    rows[signal] = sample('records_written_total', signal) ?? 0
    total += rows[signal]
    const behind = sample('stream_lag_entries', signal)
    lag = lag === undefined || behind === undefined ? undefined : lag + behind
  }
  return { rows, total, lag }
}
