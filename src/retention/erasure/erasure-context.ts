import type pg from 'pg'
import type { ArchiveStorage } from '../archive/archive-storage.ts'
import type { PartitionedTable } from '../partitions.ts'
import type { ErasedPerson } from './erased-person.ts'

/** What an erasure works with. */
export interface ErasureContext {
  /** Of {@link withErasureSession}; the marks are in its tables, or in temporary ones of its own. */
  readonly client: pg.ClientBase
  readonly person: ErasedPerson
  /** Undefined where no archives are kept. */
  readonly storage: ArchiveStorage | undefined
  /** Only says what would go. */
  readonly dryRun: boolean
  /** Aborting ends it between two transactions: what is gone is gone, and the next run finishes. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: ErasureProgress) => void
}

/** One that was noted, or a dry run. */
export interface RunningErasure extends ErasureContext {
  /** Undefined in a dry run. */
  readonly erasureId: string | undefined
}

export interface ErasureProgress {
  readonly step: 'finding' | 'erasing' | 'vacuuming'
  /** Which table, partition or archive. */
  readonly what: string
  readonly rows: number
}

/** An archive of which something goes. */
export interface ErasedArchive {
  readonly id: string
  /** The one that has the rows that stay; null where none do, undefined in a dry run. */
  readonly replacedBy: string | null | undefined
  readonly rows: number
}

export interface ErasedTable {
  readonly table: PartitionedTable
  readonly rows: number
}
