import type pg from 'pg'
import { POINT_PARTS, ROLLUP_PARTS } from './distribution-row.ts'
import { mergedNumbersSql, NUMBER_COLUMNS, POINT_NUMBERS, ROLLUP_NUMBERS } from './number-parts-sql.ts'
import { rollUpDistributions } from './roll-up-distributions.ts'

const EPOCH = `'1970-01-01 00:00+00'::timestamptz`

/**
 * Makes the rollups of one hour anew, from its points, and from those of its hours that of its day.
 *
 * @param hour minutes since 1970.
 */
export async function rollUpMetrics(client: Pick<pg.ClientBase, 'query'>, hour: number): Promise<void> {
  const ofHour = [timeOf(hour), timeOf(hour + 60)]
  await client.query(
    'delete from metric_rollup_hours where removal_id = 0 and hour >= $1 and hour < $2',
    ofHour,
  )
  await rollUpPoints(client, {
    relation: 'metric_points',
    where: 'and p.time >= $1::timestamptz and p.time < $2::timestamptz',
    values: ofHour,
    removalId: '0',
  })
  const day = Math.floor(hour / 1440) * 1440
  const ofDay = [timeOf(day), timeOf(day + 1440)]
  await client.query('delete from metric_rollup_days where day >= $1 and day < $2', ofDay)
  const parts = (columns: string, isDistribution: boolean) =>
    `(select date_bin('1 day', p.hour, ${EPOCH}) as bucket, ${columns} from metric_rollup_hours p
       where p.hour >= $1::timestamptz and p.hour < $2::timestamptz and (p.distribution is not null) = ${isDistribution})`
  const names = NUMBER_COLUMNS.join(', ')
  await client.query(
    `insert into metric_rollup_days (day, series_id, ${names})
     select bucket, series_id, ${names}
       from (${mergedNumbersSql(`${parts(`p.series_id, ${ROLLUP_NUMBERS}`, false)} as parts`)}) as merged`,
    ofDay,
  )
  await rollUpDistributions(client, {
    parts: parts(ROLLUP_PARTS, true),
    values: ofDay,
    into: 'metric_rollup_days',
  })
}

export interface RolledPoints {
  /** A table of points, as SQL takes it. */
  readonly relation: string
  /** SQL of conditions on a point `p`, each `and …`, and its parameters. */
  readonly where: string
  readonly values: readonly unknown[]
  readonly removalId: string
}

/** Writes rollups of hours, from points. */
export async function rollUpPoints(
  client: Pick<pg.ClientBase, 'query'>,
  { relation, where, values, removalId }: RolledPoints,
): Promise<void> {
  const parts = (columns: string, measured: 'value' | 'count') =>
    `(select date_bin('1 hour', p.time, ${EPOCH}) as bucket, ${columns} from ${relation} p where p.${measured} is not null ${where})`
  const names = NUMBER_COLUMNS.join(', ')
  await client.query(
    `insert into metric_rollup_hours (hour, removal_id, series_id, ${names})
     select bucket, $${values.length + 1}, series_id, ${names}
       from (${mergedNumbersSql(`${parts(`p.series_id, ${POINT_NUMBERS}`, 'value')} as parts`)}) as merged`,
    [...values, removalId],
  )
  await rollUpDistributions(client, {
    parts: parts(POINT_PARTS, 'count'),
    values,
    into: 'metric_rollup_hours',
    removalId,
  })
}

function timeOf(minute: number): string {
  return new Date(minute * 60_000).toISOString()
}
