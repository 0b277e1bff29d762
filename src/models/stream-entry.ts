import type { TelemetrySignal } from './telemetry-signal.ts'

/** A Redis stream entry id, `ms-seq`. Both parts are unsigned 64-bit integers. */
export interface EntryId {
  readonly ms: bigint
  readonly seq: bigint
}

/**
 * A larger entry is refused as a whole. Redis takes half a gigabyte; parsed, JSON of this size that is made to do harm
 * (nothing but empty lists) takes some 350 MB.
 */
export const ENTRY_MAX_BYTES = 16 * 1024 * 1024

/** An entry of more records is refused as a whole: a batch holds whole entries, and each refused record costs a dead letter. */
export const ENTRY_MAX_RECORDS = 20_000

/** Parses `ms-seq` as Redis writes it. @param before an id that may have the same milliseconds: they are shared then. */
export function parseEntryId(text: string, before?: EntryId): EntryId {
  const dash = text.indexOf('-')
  const ms = BigInt(text.slice(0, dash))
  return { ms: before?.ms === ms ? before.ms : ms, seq: BigInt(text.slice(dash + 1)) }
}

/** Whether `a` comes before `b` in a stream. */
export function isBefore(a: EntryId, b: EntryId): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.seq < b.seq)
}

export function formatEntryId(id: EntryId): string {
  return `${id.ms}-${id.seq}`
}

/** The stream's key of each signal: `telemetry:traces` with the default prefix. */
export function streamKey(prefix: string, signal: TelemetrySignal): string {
  return `${prefix}:${signal}`
}
