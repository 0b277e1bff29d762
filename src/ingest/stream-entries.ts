import type { EntryId } from '../models/stream-entry.ts'

/** An entry as Redis gave it. `fields` alternates names and values. */
export interface StreamEntry {
  readonly id: EntryId
  readonly fields: readonly Buffer[]
  /** See {@link bytesOfFields}. */
  readonly bytes: number
}

/** The entries of one read of one stream. */
export interface EntryChunk {
  /** Whether the read covered every id between its first and last entry, as XREADGROUP `>` does. */
  readonly contiguous: boolean
  readonly readAt: number
  readonly entries: readonly StreamEntry[]
}

/** What a name or a value holds beside its bytes: an entry of a hundred thousand empty ones is no small one. */
const FIELD_BYTES = 64

/** The size of an entry: its names and values, and something for each of them. */
export function bytesOfFields(fields: readonly Buffer[]): number {
  let bytes = fields.length * FIELD_BYTES
  for (const field of fields) bytes += field.length
  return bytes
}
