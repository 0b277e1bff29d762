import type { ParquetColumn } from '../parquet/parquet-column.ts'
import type { PartitionedTable } from '../retention/partitions.ts'
import type { FilterColumns } from './filter.ts'
import { betweenSql, type RangeEnds } from './time-ranges.ts'

/** A column of a Parquet file, and its SQL. */
export interface ExportColumn extends ParquetColumn {
  readonly sql: string
}

/** Where the records of a signal are read, and how. */
export interface RecordSource {
  readonly table: PartitionedTable
  readonly view: string
  /** The function that has the rows of the view in a time range: it keeps what they are joined with to the range, too. */
  readonly rowsFunction?: string
  readonly columns: FilterColumns
  /** Whether there is an index on service and time. */
  readonly isIndexedByService?: boolean
  /** SQL of a record as JSON text, in the shape of the wire contract. */
  readonly json: string
  /** Columns of CSV: the name of each, and its SQL, which is text. */
  readonly csv: readonly (readonly [name: string, sql: string])[]
  readonly parquet: readonly ExportColumn[]
}

/** SQL of the rows in a time range, for FROM, called as the view. */
export function rowsSql({ view, rowsFunction, columns }: RecordSource, ends: RangeEnds): string {
  if (rowsFunction !== undefined) return `${rowsFunction}(${ends.join(', ')}) as ${view}`
  return `(select * from ${view} where true ${betweenSql(columns.time, ends)}) as ${view}`
}
