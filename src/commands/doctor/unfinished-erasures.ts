import type pg from 'pg'
import { type Finding, ok, warn } from './finding.ts'

/** Erasures that were begun and have not ended: what they found may still be there. */
export async function findUnfinishedErasures(client: pg.Client): Promise<Finding> {
  const check = 'Erasures'
  const { rows: tables } = await client.query<{ exists: boolean }>(
    `select to_regclass('erasures') is not null as exists`,
  )
  if (tables[0]?.exists !== true) return ok(check, 'none')
  const { rows } = await client.query<{ started_at: Date }>(
    'select started_at from erasures where finished_at is null order by started_at',
  )
  if (rows.length === 0) return ok(check, 'none that has not ended')
  return warn(
    check,
    `begun and not ended: ${rows.map(({ started_at }) => started_at.toISOString()).join(', ')}`,
    'Run observatory erase again with the same ids, once what was in streams is ingested.',
  )
}
