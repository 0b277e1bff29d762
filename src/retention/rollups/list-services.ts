import type pg from 'pg'

/** With more services than this, the index that begins with them does not help. */
const MAX_SERVICES = 1000

/** Skips from each service to the next: there may be many resources of each. */
const SERVICES = `
  with recursive known (service) as (
    (select service from resources order by service limit 1)
    union all
    select (select r.service from resources r where r.service > known.service order by r.service limit 1)
      from known where known.service is not null
  )
  select service from known where service is not null limit ${MAX_SERVICES + 1}`

/** All services, so that rows of few minutes are found by the index on service and time. Undefined where there are too many. */
export async function listServices(
  client: Pick<pg.ClientBase, 'query'>,
): Promise<readonly string[] | undefined> {
  const { rows } = await client.query<{ service: string }>(SERVICES)
  return rows.length > MAX_SERVICES ? undefined : rows.map(({ service }) => service)
}
