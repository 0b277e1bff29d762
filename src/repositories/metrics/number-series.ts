import { beforeSql, microseconds } from '../filter.ts'
import type { SqlQuery } from '../stream-rows.ts'
import { type Aggregate, quantileOf } from './aggregates.ts'
import { LOOKBACK, type MetricQuery, type TimeSpan } from './metric-query.ts'
import { type FoundMetric, seriesSql } from './series-sql.ts'

/**
 * SQL of what a point adds to a counter. Of cumulative temporality it is the difference to the point before, which may be before the time range; the value itself where
 * the counter began anew (its start is after that point, or a counter that only rises is lower); of the first point the value where it began within the time
 * range, else nothing, for it is not known since when. Of delta temporality it is the value.
 */
const INCREASE = (from: string, isMonotonic: boolean) => `
  case when temporality = 'delta' then value
    when previous is null then case when start_time_unix_nano >= coalesce(${from}, start_time_unix_nano) then value end
    when start_time_unix_nano > previous_time ${isMonotonic ? 'or value < previous' : ''} then value
    else value - previous end`

/**
 * The time series of gauges and counters: one row a step and labels with one column, JSON text `{timeUnixNano, labels, …aggregates}`. All is done by PostgreSQL: what comes is as much as is shown.
 */
export function numberSeriesQuery(
  query: MetricQuery,
  metric: FoundMetric,
  { aggregates, span }: { readonly aggregates: readonly Aggregate[]; readonly span: TimeSpan },
): SqlQuery {
  const { step, conditions, limit } = query
  const { text: series, values } = seriesSql(query, metric)
  const parameter = (value: unknown) => `$${values.push(value)}`
  const from = conditions.from === undefined ? 'null::bigint' : `${parameter(conditions.from)}::bigint`
  const width = step === undefined ? undefined : `${parameter(step)}::bigint`
  const needsIncrease =
    metric.type !== 'gauge' &&
    aggregates.some((word) => word === 'rate' || word === 'increase' || word === 'sum')
  const times = timeConditions(conditions, needsIncrease ? LOOKBACK : 0n, parameter)
  const time = width && `time_unix_nano / ${width} * ${width}`
  const end = aggregates.includes('rate') ? `${parameter(span.end)}::bigint` : 'null::bigint'
  const seconds =
    width === undefined
      ? `(${end} - ${from}) / 1e9`
      : `(least(${time} + ${width}, ${end}) - greatest(${time}, ${from})) / 1e9`
  const isCounter = metric.type === 'counter'
  const members = aggregates.map(
    (word) => `${parameter(word)}::text, ${aggregateSql(word, { seconds, isCounter })}`,
  )
  const keys = [...(time === undefined ? [] : [time]), 'labels'].join(', ')
  const before = needsIncrease
    ? `, lag(value) over history as previous, lag(time_unix_nano) over history as previous_time`
    : ''
  const history = needsIncrease
    ? 'window history as (partition by p.series_id order by time_unix_nano, entry_ms, entry_seq, record_index)'
    : ''
  const text = `
    with series as materialized (${series})
    select jsonb_build_object(${time === undefined ? '' : `'timeUnixNano', (${time})::text, `}'labels', labels, ${members.join(', ')})::text
    from (
      select *${needsIncrease ? `, ${INCREASE(from, isCounter)} as increase` : ''} from (
        select labels, temporality, time_unix_nano, start_time_unix_nano, entry_ms, entry_seq, record_index, value ${before}
        from series join metric_points p using (series_id)
        where value is not null ${times}
        ${history}
      ) as known
      where time_unix_nano >= coalesce(${from}, time_unix_nano)
    ) as points
    group by ${keys} order by ${keys} limit ${parameter(limit)}`
  return { text, values }
}

/** SQL of the time range, begun earlier by `lookback` nanoseconds: partitions are left out by the first of each pair. */
export function timeConditions(
  { from, to }: MetricQuery['conditions'],
  lookback: bigint,
  parameter: (value: unknown) => string,
): string {
  const conditions: string[] = []
  if (from !== undefined) {
    conditions.push(`and time >= ${parameter(microseconds(from - lookback))}::timestamptz`)
    conditions.push(`and time_unix_nano >= ${parameter(from - lookback)}::bigint`)
  }
  if (to !== undefined) {
    conditions.push(`and time ${beforeSql(to)} ${parameter(microseconds(to))}::timestamptz`)
    conditions.push(`and time_unix_nano < ${parameter(to)}::bigint`)
  }
  return conditions.join(' ')
}

function aggregateSql(
  word: Aggregate,
  { seconds, isCounter }: { readonly seconds: string; readonly isCounter: boolean },
): string {
  const quantile = quantileOf(word)
  if (quantile !== undefined) return `percentile_cont(${quantile}) within group (order by value)`
  if (word === 'rate') return `case when ${seconds} > 0 then sum(increase) / (${seconds}) end`
  if (word === 'increase' || (word === 'sum' && isCounter)) return 'sum(increase)'
  if (word === 'count') return 'count(*)'
  if (word === 'last') {
    return '(array_agg(value order by time_unix_nano desc, entry_ms desc, entry_seq desc, record_index desc))[1]'
  }
  return `${word}(value)`
}
