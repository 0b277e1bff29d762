import type pg from 'pg'
import type { ErasureContext } from './erasure-context.ts'

/** Nobody waits for longer than this for what is held here: ingest, when it meets a new series or resource. */
const LOCK_TIMEOUT = '5s'
/** As {@link ServicePools} names the sessions that write. */
const END_WRITERS = `
  select pg_terminate_backend(pid, 5000) from pg_stat_activity
   where application_name = 'observatory:ingest' and datname = current_database() and usename = current_user and pid <> pg_backend_pid()`

/** The points of which may have come after it was looked through. */
const UNUSED_SERIES = 'not exists (select from metric_points p where p.series_id = s.series_id)'

export interface ErasedInterned {
  readonly series: number
  readonly resources: number
}

/**
 * Deletes the series and resources that name the person, and what rollups say of these series, of removed points too. Processes that ingest remember which ones are there, until their connection ends: so these are ended, under a lock that lets
 * none be added meanwhile; they connect again, and offer anew what they need. A series of which points came in between stays, for it is of them.
 */
export async function eraseInterned({ client, dryRun }: ErasureContext): Promise<ErasedInterned> {
  const { rows: marked } = await client.query<{ series: number; resources: number }>(
    `select (select count(*) from metric_series where series_id in (select series_id from erasing_series))::int as series,
            (select count(*) from resources where resource_id in (select resource_id from erasing_resources))::int as resources`,
  )
  const counts = marked[0] ?? { series: 0, resources: 0 }
  if (dryRun || counts.series + counts.resources === 0) return counts
  await client.query('begin')
  try {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`)
    await client.query('lock table resources, metric_series in exclusive mode')
    await client.query(END_WRITERS)
    const series = await remove(
      client,
      `metric_series s where s.series_id in (select series_id from erasing_series) and ${UNUSED_SERIES}`,
    )
    for (const rollups of ['metric_rollup_hours', 'metric_rollup_days'])
      await remove(
        client,
        `${rollups} r where r.series_id in (select series_id from erasing_series)
           and not exists (select from metric_series s where s.series_id = r.series_id)`,
      )
    const resources = await remove(
      client,
      `resources r where r.resource_id in (select resource_id from erasing_resources)
         and not exists (select from metric_series s where s.resource_id = r.resource_id)`,
    )
    await client.query('commit')
    return { series, resources }
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

async function remove(client: pg.ClientBase, what: string): Promise<number> {
  return (await client.query(`delete from ${what}`)).rowCount ?? 0
}
