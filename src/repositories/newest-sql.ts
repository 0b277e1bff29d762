import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import type { RecordSource } from './record-source.ts'
import { rangeSql, type TimeRange } from './time-ranges.ts'

export interface NewestOptions {
  readonly range: TimeRange
  /** Columns beside the service and those of the order. */
  readonly more?: readonly string[]
}

/**
 * SQL of the first records that match, as many as the limit says, by `order`: their services and what they are ordered by.
 *
 * There is no index on time alone, which would cost ingest: the first of all are among the first of each service, and those the index has. One service, trace
 * or session and errors have an index of their own.
 *
 * @param source that is indexed by service.
 */
export function newestSql(
  { columns, view }: RecordSource,
  filter: RecordFilter & { readonly limit: number; readonly order: 'asc' | 'desc' },
  { range, more = [] }: NewestOptions,
): { readonly text: string; readonly values: unknown[] } {
  const { where, values } = whereSql(filter, columns)
  const within = rangeSql(columns.time, range, values)
  const limited = `order by ${orderSql(columns, filter.order)} limit $${values.push(filter.limit)}`
  const keys = [...keyColumns(columns), ...more].join(', ')
  if (hasIndex(filter)) return { text: `select ${keys} from ${view} ${where} ${within} ${limited}`, values }
  const text = `
    select first.* from (${SERVICES}) services
    cross join lateral (
      select ${keys} from ${view} ${where} ${within} and service = services.service_name ${limited}
    ) first
    ${limited}`
  return { text, values }
}

/** Whether there is an index of what is asked for. Of errors it is one on time: most services may have none. */
function hasIndex({ service, traceId, session, status, minSeverityNumber }: RecordFilter): boolean {
  const isOne = service !== undefined || traceId !== undefined || session !== undefined
  return isOne || status === ERROR || (minSeverityNumber !== undefined && minSeverityNumber >= FIRST_ERROR)
}

/** As the indexes spans_errors and log_records_errors have them. */
const ERROR = 2
const FIRST_ERROR = 17

/**
 * SQL of the order of records: by their time, then by their entries.
 *
 * @param of what the columns are those of, where a column of the answer has such a name, too: it would be ordered by that, as text.
 */
export function orderSql(columns: FilterColumns, order: 'asc' | 'desc', of?: string): string {
  return positionColumns(columns)
    .map((column) => `${of === undefined ? '' : `${of}.`}${column} ${order}`)
    .join(', ')
}

/** By what a record is found again: its service, which has an index, and its position. */
export function keyColumns(columns: FilterColumns): readonly string[] {
  return ['service', ...positionColumns(columns)]
}

function positionColumns({ time, timeUnixNano }: FilterColumns): readonly string[] {
  return [time, timeUnixNano, 'entry_ms', 'entry_seq', 'record_index']
}

/** Every service there is, by skipping from one to the next in the index. */
const SERVICES = `
  with recursive each (service_name) as (
    (select service from resources order by service limit 1)
    union all
    select (select service from resources where service > service_name order by service limit 1) from each where service_name is not null
  )
  select service_name from each where service_name is not null`
