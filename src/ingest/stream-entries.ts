import type { EntryId } from '../models/stream-entry.ts'

/** An entry as Redis gave it. `fields` alternates names and values. */
export interface StreamEntry {
  readonly id: EntryId
  readonly fields: readonly Buffer[]
  readonly bytes: number
}

/** The entries of one read of one stream. */
export interface EntryChunk {
  /** Whether the read covered every id between its first and last entry, as XREADGROUP `>` does. */
  readonly contiguous: boolean
  readonly readAt: number
  readonly entries: readonly StreamEntry[]
  readonly bytes: number
}
