import type pg from 'pg'
import type { ArchiveFormat } from '../../settings.ts'
import type { Pace } from '../pace.ts'
import type { PartitionRange } from '../partition-range.ts'
import type { PartitionedTable } from '../partitions.ts'
import type { ArchiveStorage } from './archive-storage.ts'

/** What archives are written from, and where to. */
export interface ArchiveContext {
  /** Without a time limit for statements. */
  readonly pool: pg.Pool
  readonly storage: ArchiveStorage
  readonly format: ArchiveFormat
  /** Told of what is done, some times a second. */
  readonly onProgress?: (progress: ArchiveProgress) => void
  /** Ends what is done, without a trace in the database. */
  readonly signal?: AbortSignal
  /** How it gives way to ingest and queries; without it, it does not. */
  readonly pace?: Pace
}

export interface ArchiveProgress {
  readonly step: 'checking' | 'writing' | 'verifying' | 'restoring'
  /** Which partition, or which archive. */
  readonly what: string
  readonly rows: number
}

/** A table of one time range: a partition that is attached, or was. */
export interface ArchivePartition extends PartitionRange {
  readonly table: PartitionedTable
  /** As SQL takes it. */
  readonly name: string
}
