import type { Readable } from 'node:stream'
import type { ParquetColumn } from '../../parquet/parquet-column.ts'
import type { RecordForm } from '../../repositories/stream-records.ts'
import type { TableColumn } from './table-column.ts'

export interface ListingRead {
  readonly form: RecordForm
  /** At most so many; null is all. */
  readonly limit: number | null
  /** Whether a person reads them: then they have an order. */
  readonly isOrdered: boolean
  readonly signal: AbortSignal
}

/** What a query lists: where it is read, and what is shown of it. */
export interface Listing<T> {
  /** In the plural: `spans`. */
  readonly noun: string
  /** Which come first: `the newest`. */
  readonly first: string
  readonly columns: readonly TableColumn<T>[]
  /** Names of the columns of CSV. */
  readonly csv: readonly string[]
  /** Of Parquet, where there is such a form of it. */
  readonly parquet?: readonly ParquetColumn[]
  /** A stream of rows with one column, JSON text, or with those of CSV or Parquet. */
  readonly open: (read: ListingRead) => Promise<Readable>
}
