import type pg from 'pg'
import { type RecordFilter, whereSql } from './filter.ts'
import type { RecordSource } from './record-source.ts'
import { readRows } from './stream-rows.ts'

/** How many entries the records that match came in. All of them are read. */
export async function countEntries(
  pool: pg.Pool,
  { columns, view }: RecordSource,
  filter: Omit<RecordFilter, 'limit'>,
  signal: AbortSignal,
): Promise<number> {
  const { where, values } = whereSql(filter, columns)
  const text = `select count(distinct (entry_ms, entry_seq))::float8 from ${view} ${where}`
  const [[count] = [0]] = await readRows<readonly [number]>(pool, { text, values }, signal)
  return count
}
