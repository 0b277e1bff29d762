import { bodyWords } from './body-words.ts'
import type { PartitionedTable } from './partitions.ts'

/** An index that partitions have and their table has not: a hot partition would pay for it with every row. */
export interface PartitionIndex {
  /** An index is called as its partition and this: `spans_p20261123_attributes_gin`. */
  readonly suffix: string
  /** As CREATE INDEX takes it after USING. */
  readonly definition: string
}

/**
 * The indexes of closed partitions, by table. GIN keeps its list of rows to be sorted in (`fastupdate`, which is on by default): late
 * data goes in three times as fast, and reading the list, 4 MB at most, costs a query 5 ms (docs/decisions/0015-closed-partitions.md).
 */
export const PARTITION_INDEXES = {
  spans: [{ suffix: 'attributes_gin', definition: 'gin (attributes jsonb_path_ops)' }],
  log_records: [
    { suffix: 'attributes_gin', definition: 'gin (attributes jsonb_path_ops)' },
    { suffix: 'body_gin', definition: `gin (${bodyWords()})` },
  ],
} as const satisfies Partial<Record<PartitionedTable, readonly PartitionIndex[]>>

/** The tables whose partitions get indexes of their own. */
export type IndexedTable = keyof typeof PARTITION_INDEXES

export const INDEXED_TABLES = Object.keys(PARTITION_INDEXES) as readonly IndexedTable[]
