import type { Readable } from 'node:stream'
import type { RecordFilter } from '../../repositories/filter.ts'
import type { RecordSource } from '../../repositories/record-source.ts'
import type { StreamOptions } from '../../repositories/stream-records.ts'
import type { Listing } from './listing.ts'
import type { TableColumn } from './table-column.ts'

export interface RecordListingOptions<T> {
  readonly noun: string
  readonly source: RecordSource
  readonly columns: readonly TableColumn<T>[]
  readonly filter: Omit<RecordFilter, 'limit'>
  readonly stream: (filter: RecordFilter, options: StreamOptions) => Promise<Readable>
}

/** Stored records that match. All of them come as is fastest, unless an order is asked for; a few are the newest. */
export function recordListing<T>(options: RecordListingOptions<T>): Listing<T> {
  const { noun, source, columns, filter, stream } = options
  return {
    noun,
    first: filter.order === 'asc' ? 'the oldest' : 'the newest',
    columns,
    csv: source.csv.map(([name]) => name),
    open: ({ form, limit, isOrdered, signal }) => {
      const order = filter.order ?? (isOrdered || limit !== null ? 'desc' : undefined)
      return stream({ ...filter, ...(order !== undefined && { order }), limit }, { form, signal })
    },
  }
}
