import type { RejectionReason } from '../../models/rejection.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { Refusal } from './refusals.ts'

/** What became of the records of one input. */
export interface SendSummary {
  readonly telemetrySignal: TelemetrySignal
  /** Records added to the stream, in so many entries. */
  readonly sent: number
  readonly entries: number
  /** Records that a run before had added under the same idempotency key. */
  readonly repeated: number
  readonly refused: number
  readonly refusedByReason: Readonly<Partial<Record<RejectionReason, number>>>
  readonly firstRefused: readonly Refusal[]
  /** Records that Redis refused, or did not acknowledge in time. */
  readonly failed: number
  /** Whether it was stopped before the end of the input. */
  readonly interrupted: boolean
  /** Why it ended before its time, if it was not asked to. */
  readonly error: string | undefined
  readonly seconds: number
}

const NOUNS: Readonly<Record<TelemetrySignal, readonly [one: string, many: string]>> = {
  traces: ['span', 'spans'],
  metrics: ['data point', 'data points'],
  logs: ['log record', 'log records'],
}

/** `1 span`, `2 spans` */
export function counted(count: number, telemetrySignal: TelemetrySignal): string {
  return `${count} ${NOUNS[telemetrySignal][count === 1 ? 0 : 1]}`
}

/** The plural of what a stream holds. */
export function recordsOf(telemetrySignal: TelemetrySignal): string {
  return NOUNS[telemetrySignal][1]
}

/** Whether everything that was to be sent is in the stream. */
export function isComplete(summary: SendSummary): boolean {
  const { refused, failed, interrupted, error } = summary
  return refused === 0 && failed === 0 && !interrupted && error === undefined
}

/** The last lines of a run: what was sent, and if something was not, what and why. */
export function summaryLines(summary: SendSummary): string[] {
  const { telemetrySignal, sent, entries, repeated, refused, failed, error } = summary
  const outcome = [
    `sent ${counted(sent, telemetrySignal)} in ${entries} ${entries === 1 ? 'entry' : 'entries'}`,
  ]
  if (repeated > 0) outcome.push(`${repeated} were there already`)
  outcome.push(`refused ${refused}`)
  if (failed > 0) outcome.push(`failed ${failed}`)
  if (summary.interrupted) outcome.push('interrupted')
  const lines = [outcome.join(', ')]
  if (error !== undefined) lines.push(`stopped: ${error}`)
  if (refused === 0) return lines
  const reasons = Object.entries(summary.refusedByReason).map(([reason, count]) => `${reason} ${count}`)
  lines.push(`refused: ${reasons.join(', ')}`)
  for (const { line, reason, detail } of summary.firstRefused)
    lines.push(`  line ${line}: ${reason}: ${detail}`)
  if (refused > summary.firstRefused.length) lines.push(`  and ${refused - summary.firstRefused.length} more`)
  if (summary.refusedByReason.time_out_of_window !== undefined) {
    lines.push('  (--shift-to-now moves times; ACCEPT_PAST_DAYS and ACCEPT_FUTURE_DAYS say what is accepted)')
  }
  if (summary.refusedByReason.not_json !== undefined && sent + repeated === 0) {
    lines.push('  (NDJSON has one JSON object on each line: jq -c . FILE makes it of other JSON)')
  }
  return lines
}
