import { type Rollup, sketchedColumns } from './rollup.ts'

const EPOCH = `'1970-01-01 00:00+00'::timestamptz`

/**
 * SQL of rollups of minutes, from rows: columns `minute` and {@link minuteColumns}.
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

/** SQL of the columns of rollups of minutes as those of hours are: {@link sketchedColumns}. */
export function sketchedSql(rollup: Rollup): string {
  const sketches = Object.keys(rollup.sketches).map(
    (name) => `sketch_of(${name}_buckets, ${name}_counts) as ${name}_sketch`,
  )
  return [...Object.keys(rollup.keys), ...Object.keys(rollup.measures), ...sketches].join(', ')
}

/**
 * SQL of rollups of hours or days, from those of minutes or hours: columns `hour` or `day`, `removal_id` and {@link sketchedColumns}.
 *
 * @param source has the rollups, their time as `bucket`, and {@link sketchedColumns}: SQL after FROM.
 */
export function mergedRowsSql(rollup: Rollup, unit: 'hour' | 'day', source: string): string {
  const grouped = ['removal_id', ...Object.keys(rollup.keys)].join(', ')
  const measures = Object.entries(rollup.measures).map(([name, [, merge]]) => `${merge}(${name}) as ${name}`)
  const sketches = Object.keys(rollup.sketches).map((name) => `sum(${name}_sketch) as ${name}_sketch`)
  return `
    select date_bin('1 ${unit}', bucket, ${EPOCH}) as ${unit}, ${[grouped, ...measures, ...sketches].join(', ')}
    from ${source} as parts group by 1, ${grouped}`
}

/**
 * SQL that merges rollups of minutes which a statement has just inserted into those of hours and days, and says which minutes have changed: what follows a CTE that has returned them.
 *
 * @param added the CTE, with `minute`, `removal_id` and {@link minuteColumns}.
 * @param changed the CTE whose minutes have changed.
 * @param signal SQL of the signal.
 */
export function mergedUpSql(
  rollup: Rollup,
  { added, changed, signal }: { readonly added: string; readonly changed: string; readonly signal: string },
): string {
  const columns = sketchedColumns(rollup).join(', ')
  const minutes = `(select minute as bucket, removal_id, ${sketchedSql(rollup)} from ${added})`
  const hours = `(select hour as bucket, removal_id, ${columns} from added_hours)`
  return `
    , added_hours as (
       insert into ${rollup.hours} (hour, removal_id, ${columns})
       select hour, removal_id, ${columns} from (${mergedRowsSql(rollup, 'hour', minutes)}) as merged
       returning hour, removal_id, ${columns}
     ), added_days as (
       insert into ${rollup.days} (day, removal_id, ${columns})
       select day, removal_id, ${columns} from (${mergedRowsSql(rollup, 'day', hours)}) as merged
     )
     insert into changed_minutes (signal, minutes, pending)
     select ${signal}, minutes, minutes from (
       select range_agg(int4range(number, number + 1)) as minutes
         from (select (extract(epoch from minute) / 60)::int4 as number from ${changed} group by 1) as numbers
     ) as changed
     where minutes is not null`
}
