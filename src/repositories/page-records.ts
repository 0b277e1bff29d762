import { Readable } from 'node:stream'
import type pg from 'pg'
import { type RecordFilter, whereSql } from './filter.ts'
import { keyColumns, newestSql, orderSql } from './newest-sql.ts'
import { OneAfterTheOther } from './one-after-the-other.ts'
import type { RecordPosition } from './page-token.ts'
import { type RecordSource, rowsSql } from './record-source.ts'
import { BATCH_SIZE, readRows, type SqlQuery, streamRows } from './stream-rows.ts'
import { newestFirst, parameterEnds, partitionRanges, rangesWithin, type TimeRange } from './time-ranges.ts'

/** A record of a page as JSON text, and where it stands. */
export type PageRow = readonly [
  record: string,
  timeUnixNano: string,
  entryMs: string,
  entrySeq: string,
  recordIndex: number,
]

export type PageFilter = RecordFilter & { readonly limit: number }

/**
 * A page of records and one more, which says that there is a next page: a stream of {@link PageRow}. The newest first unless `order` says otherwise, after the position that the page
 * before ended with. Records of one nanosecond follow one another as their entries do, so none is left out between two pages or there twice.
 */
export async function pageRecords(
  pool: pg.Pool,
  source: RecordSource,
  filter: PageFilter,
  signal: AbortSignal,
): Promise<Readable> {
  const within = rangesWithin(await partitionRanges(pool, source.table), filter)
  const ranges = newestFirst(within)
  return new OneAfterTheOther({
    limit: filter.limit + 1,
    queries: filter.order === 'asc' ? ranges.toReversed() : ranges,
    open: (range, limit) =>
      readPage(pool, pageQuery(source, { ...filter, limit: limit ?? 0 }, range), signal),
  })
}

/** A cursor takes three round trips, and holds as many rows at once as most pages have. */
async function readPage(pool: pg.Pool, query: PageQuery, signal: AbortSignal): Promise<Readable> {
  if (query.limit > BATCH_SIZE) return await streamRows(pool, query, signal)
  return Readable.from(await readRows<PageRow>(pool, query, signal))
}

/** Where the record of a row stands. */
export function positionOf([, timeUnixNano, entryMs, entrySeq, recordIndex]: PageRow): RecordPosition {
  return { timeUnixNano, entryMs, entrySeq, recordIndex }
}

interface PageQuery extends SqlQuery {
  readonly limit: number
}

function pageQuery(source: RecordSource, filter: PageFilter, range: TimeRange): PageQuery {
  const { columns, json, isIndexedByService } = source
  const { limit } = filter
  const select = `${json}, ${columns.timeUnixNano}::text, entry_ms::text, entry_seq::text, record_index`
  const order = filter.order ?? 'desc'
  const by = `order by ${orderSql(columns, order, source.view)}`
  if (isIndexedByService !== true) {
    const { where, values } = whereSql(filter, columns)
    const rows = rowsSql(source, parameterEnds(range, values))
    const text = `select ${select} from ${rows} ${where} ${by} limit $${values.push(limit)}`
    return { text, values, limit }
  }
  // The keys first, then the records: only those of the page are made JSON of.
  const { text: keys, values } = newestSql(source, { ...filter, order }, { range })
  const rows = rowsSql(source, parameterEnds(range, values))
  const text = `select ${select} from (${keys}) as page join ${rows} using (${keyColumns(columns).join(', ')}) ${by}`
  return { text, values, limit }
}
