import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type RecordFilter, whereSql } from './filter.ts'
import { orderSql } from './newest-sql.ts'
import { OneAfterTheOther } from './one-after-the-other.ts'
import { type RecordSource, rowsSql } from './record-source.ts'
import { streamRows } from './stream-rows.ts'
import { joinRanges, MOST_RANGES, parameterEnds, partitionRanges, rangesWithin } from './time-ranges.ts'

/** How a record is read: as one column of JSON text, as the columns of CSV, which are texts, or as those of Parquet, in the types of the driver. */
export type RecordForm = 'json' | 'csv' | 'parquet'

export interface StreamOptions {
  readonly form: RecordForm
  readonly signal: AbortSignal
}

/**
 * All records that match, or as many as `limit` says: a stream of rows with one column, the record as JSON text, or with the columns of CSV or Parquet.
 *
 * Partition by partition, the newest first, and unordered inside: the first record comes at once, whatever there is, and nothing is sorted. With
 * an `order`, by time: what is sorted at once is a partition. The few records of a trace or a session are looked up in several partitions at once.
 */
export async function streamRecords(
  pool: pg.Pool,
  source: RecordSource,
  filter: RecordFilter,
  { form, signal }: StreamOptions,
): Promise<Readable> {
  const { table, columns } = source
  const select = selectSql(source, form)
  const areFew = filter.traceId !== undefined || filter.session !== undefined
  const within = rangesWithin(await partitionRanges(pool, table), filter)
  const ranges = joinRanges(within, () => (areFew ? MOST_RANGES : 1))
  const order = filter.order === undefined ? '' : `order by ${orderSql(columns, filter.order, source.view)}`
  return new OneAfterTheOther({
    limit: filter.limit,
    queries: filter.order === 'asc' ? ranges.toReversed() : ranges,
    open: (range, limit) => {
      const { where, values } = whereSql(filter, columns)
      const rows = rowsSql(source, parameterEnds(range, values))
      const text = `select ${select} from ${rows} ${where} ${order} limit $${values.push(limit)}`
      return streamRows(pool, { text, values }, signal)
    },
  })
}

function selectSql({ json, csv, parquet }: RecordSource, form: RecordForm): string {
  if (form === 'json') return json
  return (form === 'csv' ? csv.map(([, sql]) => sql) : parquet.map(({ sql }) => sql)).join(', ')
}
