import {
  isResetSql,
  PARTS_ORDER,
  POINT_NUMBERS,
  partsWithinSql,
  ROLLUP_NUMBERS,
} from '../../retention/rollups/metrics/number-parts-sql.ts'
import type { SqlQuery } from '../stream-rows.ts'
import { type Aggregate, quantileOf } from './aggregates.ts'
import { type MetricParts, partsSql } from './metric-parts.ts'
import type { MetricQuery, TimeSpan } from './metric-query.ts'
import { type FoundMetric, seriesSql } from './series-sql.ts'

/**
 * SQL of what a part adds to a counter. Of cumulative temporality it is, of its first point, the difference to the part before, which may be before the time range; the value itself where
 * the counter began anew; of the first part the value where it began within the time range, else nothing, for it is not known since when. And what was counted since its first point. Of delta
 * temporality it is the sum.
 */
const INCREASE = (from: string, isMonotonic: boolean) => `
  case when temporality = 'delta' then sum
    when previous_time is null then
      case when first_start_time_unix_nano >= coalesce(${from}, first_start_time_unix_nano) then first_value + coalesce(increase, 0) else increase end
    when ${isResetSql(String(isMonotonic))} then first_value + coalesce(increase, 0)
    else first_value - previous + coalesce(increase, 0) end`

/**
 * The time series of gauges and counters: one row a step and labels with one column, JSON text `{timeUnixNano, labels, …aggregates}`. All is done by PostgreSQL: what comes is as much as is shown.
 */
export function numberSeriesQuery(
  query: MetricQuery,
  metric: FoundMetric,
  {
    aggregates,
    span,
    parts,
  }: { readonly aggregates: readonly Aggregate[]; readonly span: TimeSpan; readonly parts: MetricParts },
): SqlQuery {
  const { step, conditions, limit } = query
  const { text: series, values } = seriesSql(query, metric)
  const parameter = (value: unknown) => `$${values.push(value)}`
  const from = conditions.from === undefined ? 'null::bigint' : `${parameter(conditions.from)}::bigint`
  const width = step === undefined ? undefined : `${parameter(step)}::bigint`
  const time = width && `first_time_unix_nano / ${width} * ${width}`
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
  const origin = 'labels, temporality, series_id'
  const known = partsSql(parts, {
    point: `${origin}, ${POINT_NUMBERS}`,
    rollup: `${origin}, ${ROLLUP_NUMBERS}`,
    from: (table) => `series join ${table} p using (series_id)`,
    isKnown: 'p.value is not null',
    parameter,
  })
  const counted = needIncrease(aggregates, metric)
    ? countedSql(known, { increase: INCREASE(from, isCounter), hasRemoved: parts.hasRemoved })
    : known
  const text = `
    with series as materialized (${series})
    select jsonb_build_object(${time === undefined ? '' : `'timeUnixNano', (${time})::text, `}'labels', labels, ${members.join(', ')})::text
    from (${counted}) as parts
    where first_time_unix_nano >= coalesce(${from}, first_time_unix_nano)
    group by ${keys} order by ${keys} limit ${parameter(limit)}`
  return { text, values }
}

/** Whether what is told of a part depends on the one before it. */
export function needIncrease(aggregates: readonly Aggregate[], { type }: Pick<FoundMetric, 'type'>): boolean {
  return type !== 'gauge' && aggregates.some((word) => ['rate', 'increase', 'sum'].includes(word))
}

/** SQL of the parts with what each has `added`. */
function countedSql(
  known: string,
  { increase, hasRemoved }: { readonly increase: string; readonly hasRemoved: boolean },
): string {
  const series = hasRemoved ? 'series_id, is_within' : 'series_id'
  const added = hasRemoved
    ? `case when temporality = 'delta' or not is_within then (${increase}) end`
    : increase
  return `
    select *, ${added} as added from (
      select *, lag(last_value) over history as previous, lag(last_time_unix_nano) over history as previous_time
      from (${hasRemoved ? partsWithinSql(`(${known}) as known`, 'series_id') : known}) as known
      window history as (partition by ${series} order by ${PARTS_ORDER})
    ) as known`
}

function aggregateSql(
  word: Aggregate,
  { seconds, isCounter }: { readonly seconds: string; readonly isCounter: boolean },
): string {
  const quantile = quantileOf(word)
  // Of parts that are points.
  if (quantile !== undefined) return `percentile_cont(${quantile}) within group (order by last_value)`
  if (word === 'rate') return `case when ${seconds} > 0 then sum(added) / (${seconds}) end`
  if (word === 'increase' || (word === 'sum' && isCounter)) return 'sum(added)'
  if (word === 'count') return 'sum(count)'
  if (word === 'avg') return 'sum(sum) / sum(count)::double precision'
  if (word === 'last') {
    return '(array_agg(last_value order by last_time_unix_nano desc, last_entry_ms desc, last_entry_seq desc, last_record_index desc))[1]'
  }
  return `${word}(${word})`
}
