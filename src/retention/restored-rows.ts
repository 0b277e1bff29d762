import type { PartitionedTable } from './partitions.ts'

/** Rows that came back, of a time range: unix milliseconds, the end exclusive. */
export interface RestoredRows {
  readonly table: PartitionedTable
  readonly fromMs: number
  readonly toMs: number
  /** Has these rows, as SQL takes it after FROM, with an alias. */
  readonly relation: string
}
