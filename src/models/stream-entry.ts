import type { TelemetrySignal } from './telemetry-signal.ts'

/** A Redis stream entry id, `ms-seq`. Both parts are unsigned 64-bit integers. */
export interface EntryId {
  readonly ms: bigint
  readonly seq: bigint
}

/** Parses `ms-seq` as Redis writes it. */
export function parseEntryId(text: string): EntryId {
  const dash = text.indexOf('-')
  return { ms: BigInt(text.slice(0, dash)), seq: BigInt(text.slice(dash + 1)) }
}

export function formatEntryId(id: EntryId): string {
  return `${id.ms}-${id.seq}`
}

/** The stream's key of each signal: `telemetry:traces` with the default prefix. */
export function streamKey(prefix: string, signal: TelemetrySignal): string {
  return `${prefix}:${signal}`
}
