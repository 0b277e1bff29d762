import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import { OneAfterTheOther } from './one-after-the-other.ts'
import type { RecordPosition } from './page-token.ts'
import type { RecordSource } from './record-source.ts'
import { type SqlQuery, streamRows } from './stream-rows.ts'
import { joinRanges, partitionRanges, rangeSql, rangesWithin, type TimeRange } from './time-ranges.ts'

/** A record of a page as JSON text, and where it stands. */
export type PageRow = readonly [
  record: string,
  timeUnixNano: string,
  entryMs: string,
  entrySeq: string,
  recordIndex: number,
]

export type PageFilter = RecordFilter & { readonly limit: number }

/** Partitions of one query: first those made ahead and today's, then more and more; 8 of them take some 60 locks, which are many for one transaction. */
const RANGES_AT_ONCE = [4, 1, 2, 4, 8]

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
  const ranges = joinRanges(within, (index) => RANGES_AT_ONCE[index] ?? 8)
  return new OneAfterTheOther({
    limit: filter.limit + 1,
    queries: filter.order === 'asc' ? ranges.toReversed() : ranges,
    open: (range, limit) =>
      streamRows(pool, pageQuery(source, { ...filter, limit: limit ?? 0 }, range), signal),
  })
}

/** Where the record of a row stands. */
export function positionOf([, timeUnixNano, entryMs, entrySeq, recordIndex]: PageRow): RecordPosition {
  return { timeUnixNano, entryMs, entrySeq, recordIndex }
}

/** SQL of the order of records: by their time, then by their entries. */
export function orderSql(columns: FilterColumns, order: 'asc' | 'desc'): string {
  return positionColumns(columns)
    .map((column) => `${column} ${order}`)
    .join(', ')
}

function positionColumns({ time, timeUnixNano }: FilterColumns): readonly string[] {
  return [time, timeUnixNano, 'entry_ms', 'entry_seq', 'record_index']
}

function pageQuery(source: RecordSource, filter: PageFilter, range: TimeRange): SqlQuery {
  const { columns, view, json } = source
  const { where, values } = whereSql(filter, columns)
  const within = rangeSql(columns.time, range, values)
  const order = orderSql(columns, filter.order ?? 'desc')
  const select = `${json}, ${columns.timeUnixNano}::text, entry_ms::text, entry_seq::text, record_index`
  const limit = `limit $${values.push(filter.limit)}`
  const isFew = [filter.service, filter.traceId, filter.session].some((word) => word !== undefined)
  if (source.isIndexedByService !== true || isFew) {
    return { text: `select ${select} from ${view} ${where} ${within} order by ${order} ${limit}`, values }
  }
  const keys = ['service', ...positionColumns(columns)].join(', ')
  // There is no index on time alone, which would cost ingest: the first of all are among the first of each service, and those the index has.
  const text = `
    select ${select} from (
      select first.* from (${SERVICES}) services
      cross join lateral (
        select ${keys} from ${view} ${where} ${within} and service = services.service_name order by ${order} ${limit}
      ) first
      order by ${order} ${limit}
    ) page
    join ${view} using (${keys})
    where true ${within} order by ${order}`
  return { text, values }
}

/** Every service there is, by skipping from one to the next in the index. */
const SERVICES = `
  with recursive each (service_name) as (
    (select service from resources order by service limit 1)
    union all
    select (select service from resources where service > service_name order by service limit 1) from each where service_name is not null
  )
  select service_name from each where service_name is not null`
