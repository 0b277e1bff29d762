import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type RecordFilter, whereSql } from './filter.ts'
import type { RecordPosition } from './page-token.ts'
import type { RecordSource } from './record-source.ts'
import { type SqlQuery, streamRows } from './stream-rows.ts'

/** A record of a page as JSON text, and where it stands. */
export type PageRow = readonly [
  record: string,
  timeUnixNano: string,
  entryMs: string,
  entrySeq: string,
  recordIndex: number,
]

/**
 * A page of records and one more, which says that there is a next page: a stream of {@link PageRow}. The newest first unless `order` says otherwise, after the position that the page
 * before ended with. Records of one nanosecond follow one another as their entries do, so none is left out between two pages or there twice.
 */
export function pageRecords(
  pool: pg.Pool,
  source: RecordSource,
  filter: RecordFilter & { readonly limit: number },
  signal: AbortSignal,
): Promise<Readable> {
  const select = `${source.json}, ${source.columns.timeUnixNano}::text, entry_ms::text, entry_seq::text, record_index`
  return streamRows(pool, orderedQuery(source, { ...filter, limit: filter.limit + 1 }, select), signal)
}

/** Records in the order of their time, then of their entries. */
export function orderedQuery(
  { columns, view }: RecordSource,
  filter: RecordFilter,
  select: string,
): SqlQuery {
  const { where, values } = whereSql(filter, columns)
  const direction = filter.order === 'asc' ? 'asc' : 'desc'
  const keys = [columns.time, columns.timeUnixNano, 'entry_ms', 'entry_seq', 'record_index']
  const order = keys.map((key) => `${key} ${direction}`).join(', ')
  const text = `select ${select} from ${view} ${where} order by ${order} limit $${values.length + 1}`
  return { text, values: [...values, filter.limit] }
}

/** Where the record of a row stands. */
export function positionOf([, timeUnixNano, entryMs, entrySeq, recordIndex]: PageRow): RecordPosition {
  return { timeUnixNano, entryMs, entrySeq, recordIndex }
}
