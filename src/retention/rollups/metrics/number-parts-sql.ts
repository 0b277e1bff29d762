/**
 * A part of a series of gauges or counters is a point, or what is to be known of several so that others can follow: these columns, and those of {@link PARTS_ORDER}.
 * `increase` is what a counter of cumulative temporality increased by since `first_value`.
 */
export const NUMBER_COLUMNS = [
  'count',
  'first_time_unix_nano',
  'last_time_unix_nano',
  'first_start_time_unix_nano',
  'sum',
  'min',
  'max',
  'increase',
  'first_value',
  'last_value',
  'last_entry_ms',
  'last_entry_seq',
  'last_record_index',
] as const

/** SQL of a part that is a point `p`, with a value. */
export const POINT_NUMBERS = `
  1::bigint as count, p.time_unix_nano as first_time_unix_nano, p.time_unix_nano as last_time_unix_nano,
  p.start_time_unix_nano as first_start_time_unix_nano, p.value as sum, p.value as min, p.value as max, null::double precision as increase,
  p.value as first_value, p.value as last_value, p.entry_ms as last_entry_ms, p.entry_seq as last_entry_seq, p.record_index as last_record_index,
  p.entry_ms, p.entry_seq, p.record_index`

/** SQL of a part that is a rollup `p`. */
export const ROLLUP_NUMBERS = `
  ${NUMBER_COLUMNS.map((name) => `p.${name}`).join(', ')}, 0::bigint as entry_ms, 0::bigint as entry_seq, 0 as record_index`

/** The order in which parts of a series follow each other. */
export const PARTS_ORDER = 'first_time_unix_nano, entry_ms, entry_seq, record_index'

/**
 * SQL of whether a counter begins anew with a part, after the part before it: its start is after that, or a counter that only rises is lower.
 *
 * @param isMonotonic SQL of whether it only rises.
 */
export function isResetSql(isMonotonic: string): string {
  return `first_start_time_unix_nano > previous_time or (${isMonotonic} and first_value < previous)`
}

/**
 * SQL of parts `is_within` of which says whether they begin before one that comes before them has ended. Such a part came late, for a time whose points had been put together and taken away: it
 * adds no increase, for what was counted meanwhile is in that one.
 *
 * @param parts SQL after FROM.
 * @param series SQL of what parts have in common that follow each other.
 */
export function partsWithinSql(parts: string, series: string): string {
  return `
    select *, coalesce(first_time_unix_nano < max(last_time_unix_nano) over (
        partition by ${series} order by ${PARTS_ORDER} rows between unbounded preceding and 1 preceding), false) as is_within
    from ${parts}`
}

/**
 * SQL of parts of an hour or a day, as one for each series: columns `bucket`, `series_id` and {@link NUMBER_COLUMNS}.
 *
 * @param parts SQL after FROM, with `bucket`, `series_id` and those of a part.
 */
export function mergedNumbersSql(parts: string): string {
  const isFirst = 'previous_time is null and not is_within'
  const isLast = 'next_time is null and not is_within'
  return `
    select bucket, series_id, sum(count)::bigint as count,
      min(first_time_unix_nano) as first_time_unix_nano, max(last_time_unix_nano) filter (where ${isLast}) as last_time_unix_nano,
      max(first_start_time_unix_nano) filter (where ${isFirst}) as first_start_time_unix_nano,
      double_of(sum(exact_of(sum))) as sum, min(min) as min, max(max) as max,
      double_of(sum(case
        when is_within or type = 'gauge' or temporality = 'delta' then null
        when previous_time is null then exact_of(increase)
        when ${isResetSql(`type = 'counter'`)} then exact_of(first_value) + coalesce(exact_of(increase), 0)
        else exact_of(first_value) - exact_of(previous) + coalesce(exact_of(increase), 0) end)) as increase,
      max(first_value) filter (where ${isFirst}) as first_value, ${[
        'last_value',
        'last_entry_ms',
        'last_entry_seq',
        'last_record_index',
      ]
        .map((name) => `max(${name}) filter (where ${isLast}) as ${name}`)
        .join(', ')}
    from (
      select parts.*, m.type, m.temporality, lag(last_time_unix_nano) over history as previous_time, lag(last_value) over history as previous,
        lead(first_time_unix_nano) over history as next_time
      from (${partsWithinSql(parts, 'series_id, bucket')}) as parts
      join metric_series s using (series_id) join metrics m using (metric_id)
      window history as (partition by series_id, bucket, is_within order by ${PARTS_ORDER})
    ) as parts
    group by bucket, series_id`
}
