import type pg from 'pg'
import { rollUpNewestHour } from '../../src/retention/rollups/roll-up.ts'
import { METRIC_ROLLUP, ROLLUPS } from '../../src/retention/rollups/rollup.ts'

/** Makes all rollups that are due, without a pause. @param before minutes since 1970: those before it are over. */
export async function rollUpAll(pool: pg.Pool, before: number, signal?: AbortSignal): Promise<void> {
  const client = await pool.connect()
  try {
    for (const rollup of [...ROLLUPS, METRIC_ROLLUP])
      while ((await rollUpNewestHour(client, rollup, before)).left > 0) signal?.throwIfAborted()
  } finally {
    client.release()
  }
}
