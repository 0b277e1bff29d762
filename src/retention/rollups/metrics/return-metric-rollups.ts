import type pg from 'pg'
import { markChangedOf } from './mark-changed-of.ts'

/**
 * Takes away what {@link keepMetricRollups} has kept of points that came back, in the transaction that brings them: they are counted as points again. A rollup goes whole or stays: it goes where as
 * many points came back as it has, of its time, the largest first where several rollups are of one hour. Of points whose rollups were not kept (they are of another database) none goes.
 *
 * @param relation the table of the points that came back, as SQL takes it.
 */
export async function returnMetricRollups(
  client: Pick<pg.ClientBase, 'query'>,
  relation: string,
): Promise<void> {
  await client.query(
    `with back as materialized (
       select p.series_id, date_bin('1 hour', p.time, '1970-01-01 00:00+00'::timestamptz) as hour, p.time_unix_nano from ${relation} p
        where p.value is not null or p.count is not null
     ), hours as (
       select series_id, hour, count(*) as count from back group by series_id, hour
     ), whole as (
       select k.ctid as place, k.series_id, k.hour, k.count, h.count as back
         from hours h join metric_rollup_hours k using (series_id, hour) join back b using (series_id, hour)
        where k.removal_id <> 0 and k.hour between (select min(hour) from hours) and (select max(hour) from hours)
          and b.time_unix_nano between k.first_time_unix_nano and k.last_time_unix_nano
        group by 1, 2, 3, 4, 5
       having count(*) >= k.count
     ), taken as (
       select place, back, sum(count) over (partition by series_id, hour order by count desc, place) as count from whole
     )
     delete from metric_rollup_hours where ctid = any (array(select place from taken where count <= back))`,
  )
  await markChangedOf(client, relation)
}
