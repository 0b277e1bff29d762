import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { archiveOnThread } from '../../src/retention/archive/archive-on-thread.ts'
import { countArchives } from '../../src/retention/archive/count-archives.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHostileRows, DAY, DAY_MS } from '../helpers/hostile-rows.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

let pool: pg.Pool
let folder: string
let databaseUrl: string
const partition = {
  table: 'metric_points',
  name: `metric_points_p${DAY.replaceAll('-', '')}`,
  fromMs: DAY_MS,
  toMs: DAY_MS + 86_400_000,
} as const

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-thread-'))
  databaseUrl = (await createTestDatabase()).databaseUrl
  pool = createPool({ databaseUrl, applicationName: 'archive test', max: 2, onError: () => undefined })
  await createHostileRows(pool)
  await pool.query(
    `insert into metric_points (time, time_unix_nano, series_id, entry_ms, entry_seq, record_index, value)
     select '${DAY}'::timestamptz + n * interval '1 ms', n, 8, 1, n, 0, n from generate_series(1, 60000) n`,
  )
})
afterAll(async () => {
  await pool?.end()
  await rm(folder, { recursive: true, force: true })
})

const metrics = createMetrics()

function archiverOf(archiveUrl: string, env: Record<string, string> = {}) {
  const { settings } = loadSettings({ env: { ARCHIVE_URL: archiveUrl, ...env } })
  const archive = archiveOnThread({ ...settings, databaseUrl })
  if (archive === undefined) throw new Error('no archives are kept')
  return countArchives(archive, metrics)
}

/** How much of it was counted. */
async function counted(what: string): Promise<number> {
  const sample = new RegExp(`^observatory_${what}_total\\{table="metric_points"\\} (\\d+)$`, 'm')
  return Number(sample.exec(await metrics.registry.metrics())?.[1] ?? 0)
}

const sessions = async () =>
  (
    await pool.query(
      `select 1 from pg_stat_activity where datname = current_database() and application_name = 'observatory:archive'`,
    )
  ).rowCount

/** Of all threads of this process (proc(5), the 19th field of stat). */
async function niceOfThreads(): Promise<readonly number[]> {
  const tasks = await readdir('/proc/self/task')
  const stats = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/stat`, 'utf8').catch(() => '')),
  )
  return stats.filter(Boolean).map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))
}

test('a partition is archived and counted, and this thread goes on meanwhile', async () => {
  const before = (await niceOfThreads()).filter((nice) => nice >= 19).length
  const archiving = archiverOf(folder)(partition)
  let [turns, lowest] = [0, 0]
  let isDone = false
  const done = archiving.finally(() => {
    isDone = true
  })
  while (!isDone) {
    lowest = Math.max(lowest, (await niceOfThreads()).filter((nice) => nice >= 19).length)
    turns += 1
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await done
  const { rows } = await pool.query('select row_count::int as rows from archived_partitions')
  expect(rows).toEqual([{ rows: (await pool.query(`select from ${partition.name}`)).rowCount }])
  expect(turns).toBeGreaterThan(20)
  if (process.platform === 'linux') expect(lowest).toBeGreaterThan(before)
  expect(await sessions()).toBe(0)
  expect(await counted('archived_rows')).toBe(rows[0].rows)
  expect(await counted('archived_bytes')).toBeGreaterThan(10_000)
  // It is in an archive now.
  expect(await archiverOf(folder)(partition)).toBeUndefined()
  expect(await counted('archived_rows')).toBe(rows[0].rows)
})

test('no time limit of the database ends it', async () => {
  const { rows: limits } = await pool.query<{ limit: string }>(
    `select name as limit from pg_settings where name in ('idle_session_timeout', 'transaction_timeout')`,
  )
  const name = new URL(databaseUrl).pathname.slice(1)
  await pool.query('truncate archived_partitions')
  for (const { limit } of limits) await pool.query(`alter database ${name} set ${limit} = '500ms'`)
  try {
    await archiverOf(join(folder, 'limits'))(partition)
  } finally {
    for (const { limit } of limits) await pool.query(`alter database ${name} reset ${limit}`)
  }
  expect((await pool.query('select from archived_partitions')).rowCount).toBe(1)
})

test('being told to stop ends it at once, and its session', async () => {
  await pool.query('truncate archived_partitions')
  const stopping = new AbortController()
  const archiving = archiverOf(join(folder, 'stopped'))(partition, stopping.signal)
  archiving.catch(() => undefined)
  await eventually(async () => expect(await sessions()).toBe(1))
  const startedMs = performance.now()
  stopping.abort(new Error('it was stopped'))
  await expect(archiving).rejects.toThrow(/stopped/)
  expect(performance.now() - startedMs).toBeLessThan(1000)
  await eventually(async () => expect(await sessions()).toBe(0))
  expect((await pool.query('select from archived_partitions')).rowCount).toBe(0)
  expect(await counted('archive_failures')).toBe(0)
})

test('being told to stop ends it also where the place of archives does not answer', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  try {
    await once(silent, 'listening')
    const stopping = new AbortController()
    const archiving = archiverOf('s3://bucket', {
      ARCHIVE_S3_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      ARCHIVE_S3_KEY_ID: 'id',
      ARCHIVE_S3_SECRET_KEY: 'secret',
    })(partition, stopping.signal)
    archiving.catch(() => undefined)
    await once(silent, 'request')
    stopping.abort(new Error('enough'))
    const startedMs = performance.now()
    await expect(archiving).rejects.toThrow('enough')
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    await eventually(async () => expect(await sessions()).toBe(0))
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})

test('what it fails of is told, with its code', async () => {
  const file = join(folder, 'a file')
  await writeFile(file, '')
  await expect(archiverOf(join(file, 'x'))(partition)).rejects.toMatchObject({ code: 'ENOTDIR' })
  expect(await counted('archive_failures')).toBe(1)
})

test('where no archives are kept there is nothing to await', () => {
  const { settings } = loadSettings({ env: {} })
  expect(archiveOnThread({ ...settings, databaseUrl })).toBeUndefined()
})
