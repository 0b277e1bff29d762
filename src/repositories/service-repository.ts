import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type RecordFilter, whereSql } from './filter.ts'
import { type GroupedSource, groupedQuery, quantiles } from './grouped-query.ts'
import { LOG_RECORD_COLUMNS } from './log-record-repository.ts'
import { streamRows } from './stream-rows.ts'
import { SPAN_COLUMNS } from './trace-repository.ts'

/** How long before its caller's time range a called span may have begun by another clock, and a caller before what it calls. */
const AROUND = 3_600_000_000_000n

/** `{spanCount, errorCount}` of spans. */
export const OPERATIONS: GroupedSource = {
  signal: 'traces',
  view: 'span_view',
  columns: SPAN_COLUMNS,
  groups: { service: 'service', name: 'name', kind: 'kind' },
  measures: `'spanCount', count(*), 'errorCount', count(*) filter (where status_code = 2)`,
  csv: ['spanCount', 'errorCount'],
  order: 'count(*) desc',
}

/** A time range and how much of it. */
export type ServiceFilter = Pick<RecordFilter, 'from' | 'to' | 'service' | 'limit'>

/** Reads which services there are, what they do, and whom they call. */
export class ServiceRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /**
   * Services with telemetry in the time range, by name: a stream of rows with one column, JSON text `{service, environments, signals}`, the signals any of
   * `traces`, `metrics`, `logs`. Nothing is scanned: a service is looked up by the indexes of each table. Metrics are those it ever had.
   */
  streamServices({ limit, ...filter }: ServiceFilter, signal: AbortSignal): Promise<Readable> {
    const spans = whereSql(filter, { ...SPAN_COLUMNS, texts: {} })
    const logs = whereSql(filter, { ...LOG_RECORD_COLUMNS, texts: {} }, spans.values)
    const named = whereSql(
      { ...(filter.service !== undefined && { service: filter.service }) },
      { ...SPAN_COLUMNS, texts: { service: 'service' } },
      spans.values,
    )
    const text = `
      select jsonb_build_object('service', service, 'environments', environments, 'signals', signals)::text
      from (
        select service, environments, array_remove(array[
            case when exists (select from spans ${spans.where} and spans.service = known.service) then 'traces' end,
            case when exists (select from metric_series m where m.service = known.service) then 'metrics' end,
            case when exists (select from log_records ${logs.where} and log_records.service = known.service) then 'logs' end
          ], null) as signals
        from (
          select service, coalesce(array_agg(distinct environment) filter (where environment is not null), '{}') as environments
          from resources ${named.where} group by service
        ) as known
      ) as found
      where signals <> '{}' order by service limit $${spans.values.push(limit)}`
    return streamRows(this.#pool, { text, values: spans.values }, signal)
  }

  /**
   * What services do: names and kinds of their spans that match, those with the most spans first: a stream of rows with one column, JSON text
   * `{service, name, kind, spanCount, errorCount}`.
   */
  streamOperations(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const grouping = { by: Object.keys(OPERATIONS.groups), step: undefined }
    return streamRows(this.#pool, groupedQuery(OPERATIONS, filter, grouping), signal)
  }

  /**
   * Which services call which, those that call most often first: a stream of rows with one column, JSON text
   * `{parent, child, callCount, errorCount, durationNs: {p50, p90, p95, p99}}`. A call is a span in the time range whose parent is a span of another service; errors and durations are
   * those of the span that is called. The parent is looked for up to an hour before the time range.
   */
  streamDependencies({ limit, from, to, service }: ServiceFilter, signal: AbortSignal): Promise<Readable> {
    const columns = (table: string) => ({
      time: `${table}.start_time`,
      timeUnixNano: `${table}.start_time_unix_nano`,
      texts: {},
    })
    const children = whereSql(range(from, to), columns('child'))
    const parents = whereSql(
      range(from === undefined ? undefined : from - AROUND, to === undefined ? undefined : to + AROUND),
      columns('parent'),
      children.values,
    )
    const { values } = children
    const ofService =
      service === undefined ? '' : `and $${values.push(service)} in (parent.service, child.service)`
    const text = `
      select jsonb_build_object('parent', parent, 'child', child, 'callCount', count(*),
        'errorCount', count(*) filter (where status_code = 2), 'durationNs', ${quantiles('duration_ns')})::text
      from (
        select parent.service as parent, child.service as child, child.status_code, child.duration_ns
        from (select * from spans child ${children.where} and parent_span_id is not null) as child
        join (select * from spans parent ${parents.where}) as parent
          on parent.trace_id = child.trace_id and parent.span_id = child.parent_span_id
        where parent.service <> child.service ${ofService}
      ) as calls
      group by parent, child order by count(*) desc, parent, child limit $${values.push(limit)}`
    return streamRows(this.#pool, { text, values }, signal)
  }
}

function range(from: bigint | undefined, to: bigint | undefined): Pick<RecordFilter, 'from' | 'to'> {
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}
