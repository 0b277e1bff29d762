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
  readonly reads: RecordReads
}

/** How a repository gives its records. */
export interface RecordReads {
  readonly stream: (filter: RecordFilter, options: StreamOptions) => Promise<Readable>
  /** As many as the limit says and one more, found by the order. */
  readonly page: (filter: RecordFilter & { readonly limit: number }, signal: AbortSignal) => Promise<Readable>
}

/** Looking up the first ones is faster than sorting all while they are few: as many as HTTP has on a page. */
const MOST_OF_A_PAGE = 10_000

/** Stored records that match. All of them come as is fastest, unless an order is asked for; a few are the newest. */
export function recordListing<T>(options: RecordListingOptions<T>): Listing<T> {
  const { noun, source, columns, filter, reads } = options
  return {
    noun,
    first: filter.order === 'asc' ? 'the oldest' : 'the newest',
    columns,
    csv: source.csv.map(([name]) => name),
    parquet: source.parquet,
    open: ({ form, limit, isOrdered, signal }) => {
      const order = filter.order ?? (isOrdered || limit !== null ? 'desc' : undefined)
      if (form === 'json' && limit !== null && limit <= MOST_OF_A_PAGE)
        return reads.page({ ...filter, order: order ?? 'desc', limit: limit - 1 }, signal)
      return reads.stream({ ...filter, ...(order !== undefined && { order }), limit }, { form, signal })
    },
  }
}
