import { columnsOf, type Rollup } from './rollup.ts'

const EPOCH = `'1970-01-01 00:00+00'::timestamptz`

/**
 * SQL of rollups of minutes, from rows: columns `minute` and {@link columnsOf}.
 *
 * @param relation a table of the rows, as SQL takes it.
 * @param where SQL of conditions on a row `s`.
 */
export function minuteRowsSql(rollup: Rollup, relation: string, where: string): string {
  const { keys, measures, sketches, time } = rollup
  const keyNames = Object.keys(keys)
  const names = Object.keys(sketches)
  const cells = [
    `date_bin('1 minute', s.${time}, ${EPOCH}) as minute`,
    ...Object.entries(keys).map(([name, sql]) => `${sql} as ${name}`),
    ...names.map((name) => `sketch_bucket(${sketches[name]}) as ${name}_bucket`),
  ]
  const measured = Object.entries(measures).map(([name, [sql]]) => `${sql} as ${name}`)
  const grouped = cells.map((_, index) => index + 1).join(', ')
  const merged = Object.entries(measures).map(([name, [, merge]]) => `${merge}(${name}) as ${name}`)
  const arrays = names.flatMap((name) => [
    `array_agg(${name}_bucket) filter (where ${name}_bucket is not null) as ${name}_buckets`,
    `array_agg(count) filter (where ${name}_bucket is not null) as ${name}_counts`,
  ])
  return `
    select ${['minute', ...keyNames, ...merged, ...arrays].join(', ')}
    from (
      select ${[...cells, ...measured].join(', ')}
      from ${relation} s left join resources r on r.resource_id = s.resource_id
      where ${where}
      group by ${grouped}
    ) as cells
    group by ${['minute', ...keyNames].join(', ')}`
}

/**
 * SQL of rollups of hours, from rollups of minutes: columns `hour`, `removal_id` and {@link columnsOf}.
 *
 * @param relation has the rollups of minutes.
 */
export function hourRowsSql(rollup: Rollup, relation: string, where: string): string {
  const keys = Object.keys(rollup.keys)
  const common = `date_bin('1 hour', minute, ${EPOCH}) as hour, removal_id`
  const grouped = ['hour', 'removal_id', ...keys]
  const source = `(select ${common}, ${columnsOf(rollup).join(', ')} from ${relation} where ${where})`
  const merged = Object.entries(rollup.measures).map(([name, [, merge]]) => `${merge}(${name}) as ${name}`)
  const arrays = Object.keys(rollup.sketches).flatMap((name, index) => [
    `array_agg(bucket order by bucket) filter (where part = ${index + 1}) as ${name}_buckets`,
    `array_agg(bucket_count::bigint order by bucket) filter (where part = ${index + 1}) as ${name}_counts`,
  ])
  return `
    select ${[...grouped, ...merged, ...arrays].join(', ')}
    from (${longSql(rollup, { source, keys: grouped })}) as long
    group by ${grouped.join(', ')}`
}

/**
 * SQL that makes one row of each bucket of each sketch, so that rollups are put together by grouping alone: columns `keys`, `part` (0 has the measures, 1 and on the sketches in their
 * order), `bucket`, `bucket_count`, and the measures, which are null but in part 0.
 *
 * @param source SQL of rollups, that may be read several times.
 */
export function longSql(
  rollup: Rollup,
  { source, keys }: { readonly source: string; readonly keys: readonly string[] },
): string {
  const measures = Object.entries(rollup.measures)
  const selects = [
    `select ${[...keys, '0 as part', 'null::smallint as bucket', 'null::bigint as one_count', ...measures.map(([name]) => name)].join(', ')} from ${source} as rolled`,
    ...Object.keys(rollup.sketches).map(
      (name, index) =>
        `select ${[...keys, index + 1, 'b.bucket', 'b.one_count', ...measures.map(() => 'null')].join(', ')}
         from ${source} as rolled cross join lateral unnest(${name}_buckets, ${name}_counts) as b (bucket, one_count)`,
    ),
  ]
  const merged = measures.map(([name, [, merge]]) => `${merge}(${name}) as ${name}`)
  const grouped = [...keys, 'part', 'bucket'].join(', ')
  return `
    select ${[grouped, 'sum(one_count) as bucket_count', ...merged].join(', ')}
    from (${selects.join(' union all ')}) as parts
    group by ${grouped}`
}
