import { once } from 'node:events'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { RollupKeeper } from '../../src/retention/rollups/rollup-keeper.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

let database: TestDatabase
let pool: pg.Pool
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'rollup keeper test',
    max: 4,
    onError: () => undefined,
  })
})
afterAll(async () => {
  for (const end of ends.reverse()) await end()
  await pool?.end()
  await database?.drop()
})

/** An hour ago: its minute is over. */
async function addLog(body: string): Promise<void> {
  const writer = new LogWriter({ pool })
  writer.end([{ body, time: Date.now() - 3_600_000, service: 'api' }])
  await once(writer, 'finish')
}

function startKeeper() {
  const metrics = createMetrics()
  const lines: string[] = []
  const logger = createLogger({ level: 'warn', pretty: false, write: (line) => lines.push(line) })
  const keeper = new RollupKeeper({ pool, metrics, logger, intervalMs: 20 })
  ends.push(() => keeper.stop())
  const text = () => metrics.registry.metrics()
  const finishedAt = async (signal: string) =>
    Number(
      new RegExp(
        `^observatory_rollups_last_finished_timestamp_seconds\\{signal="${signal}"\\} (\\S+)$`,
        'm',
      ).exec(await text())?.[1],
    )
  return { keeper, lines, text, finishedAt }
}

test('rollups that fail, and those that another process makes, do not look as if they were up to date', async () => {
  await addLog('a')
  const first = startKeeper()
  await eventually(async () =>
    expect(await first.text()).toContain('observatory_rollups_pending{signal="metrics"} 0'),
  )
  expect(await first.text()).toContain('observatory_rollups_made_total{signal="logs"} 1')
  const before = await first.finishedAt('logs')
  await eventually(async () => expect(await first.finishedAt('logs')).toBeGreaterThan(before))

  await pool.query('alter table log_rollup_minutes rename to log_rollup_away')
  await addLog('b')
  await eventually(() => expect(first.lines.join()).toContain('rolling up failed; trying again'))
  const stuckAt = await first.finishedAt('logs')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await first.finishedAt('logs')).toBe(stuckAt)
  await pool.query('alter table log_rollup_away rename to log_rollup_minutes')
  await eventually(async () => expect(await first.finishedAt('logs')).toBeGreaterThan(stuckAt))

  const holder = await pool.connect()
  ends.push(async () => holder.release(true))
  await eventually(async () => {
    const { rows } = await holder.query(
      `select pg_try_advisory_lock(hashtextextended('observatory rollups', 0)) as locked`,
    )
    expect(rows[0].locked).toBe(true)
  })
  await eventually(async () => expect(await first.text()).not.toContain('observatory_rollups_pending{'))
})
