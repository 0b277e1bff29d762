import type { PartitionedTable } from '../retention/partitions.ts'
import type { FilterColumns } from './filter.ts'

/** Where the records of a signal are read, and how. */
export interface RecordSource {
  readonly table: PartitionedTable
  readonly view: string
  readonly columns: FilterColumns
  /** Whether there is an index on service and time. */
  readonly isIndexedByService?: boolean
  /** SQL of a record as JSON text, in the shape of the wire contract. */
  readonly json: string
  /** Columns of CSV: the name of each, and its SQL, which is text. */
  readonly csv: readonly (readonly [name: string, sql: string])[]
}
