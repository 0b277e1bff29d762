import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createPool } from '../../src/pool.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import { listArchiveIds, readManifest } from '../../src/retention/archive/archive-manifest.ts'
import type { ArchiveStorage } from '../../src/retention/archive/archive-storage.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { restoreArchive } from '../../src/retention/archive/restore-archive.ts'
import { verifyArchive } from '../../src/retention/archive/verify-archive.ts'
import { createRemovalHooks } from '../../src/retention/create-removal-hooks.ts'
import type { ErasedPerson } from '../../src/retention/erasure/erased-person.ts'
import { withErasureSession } from '../../src/retention/erasure/erasure-session.ts'
import { type ErasureReport, runErasure } from '../../src/retention/erasure/run-erasure.ts'
import { rollUpNewestHour } from '../../src/retention/rollups/roll-up.ts'
import { ROLLUPS } from '../../src/retention/rollups/rollup.ts'
import { urlOfDatabase, withPostgres } from '../helpers/postgres.ts'
import { readParquet } from '../helpers/read-parquet.ts'
import { retentionPolicy, runOnce } from '../helpers/retention-run.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { ANN, allRows, BOB, recordsOf, tablesWith, traceOf, writeRecords } from '../helpers/two-people.ts'

/*
 * Two people use an application on two days. The older one is archived and removed, of the newer one there are archives and rows. Then one of the two is erased.
 */

const DAY = 86_400_000
const TODAY = Math.floor(Date.now() / DAY) * DAY
const OLD = TODAY - 6 * DAY + 36_000_000
const NEW = TODAY - 2 * DAY + 36_000_000
const ANN_IS: ErasedPerson = { users: [ANN.name], sessions: [], traceIds: [] }

interface World {
  readonly pool: pg.Pool
  readonly storage: FolderStorage
}

let folder: string
/** Of which every test has a copy. */
let template: string
let before: readonly string[]
const worlds: { readonly pool: pg.Pool; readonly name: string }[] = []

const poolOf = (databaseUrl: string) =>
  createPool({ databaseUrl, applicationName: 'erasure test', max: 4, onError: () => undefined })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'erasure-'))
  const database = await createTestDatabase()
  template = database.name
  const pool = poolOf(database.databaseUrl)
  for (const day of [OLD, NEW])
    for (const person of [ANN, BOB]) await writeRecords(pool, recordsOf(person, day))
  await rollUp(pool)
  for (const [format, archiveUrl] of [
    ['ndjson', join(folder, 'archives')],
    ['parquet', join(folder, 'archives')],
  ] as const) {
    const { settings } = loadSettings({ env: { ARCHIVE_URL: archiveUrl, ARCHIVE_FORMAT: format }, cwd: '/' })
    const hooks = createRemovalHooks(pool, settings)
    if (format === 'ndjson') {
      const days = { traces: 4, logs: 4, metrics: 4 }
      const { outcome } = await runOnce(pool, retentionPolicy(days), { hooks, nowMs: Date.now() })
      expect(outcome).toBe('finished')
    } else await archiveDay(pool, archiveUrl)
  }
  await rollUp(pool)
  before = await allRows(pool)
  await pool.end()
})
afterAll(async () => {
  for (const { pool, name } of worlds) {
    await pool.end()
    await withPostgres(inject('adminUrl'), (client) =>
      client.query(`drop database if exists ${name} with (force)`),
    )
  }
  await rm(folder, { recursive: true, force: true })
})

/** The newer day, as Parquet. */
async function archiveDay(pool: pg.Pool, archiveUrl: string): Promise<void> {
  const { archivePartition } = await import('../../src/retention/archive/archive-partition.ts')
  const { listPartitions } = await import('../../src/retention/list-partitions.ts')
  const { PARTITIONED_TABLES } = await import('../../src/retention/partitions.ts')
  const context = { pool, storage: new FolderStorage(archiveUrl), format: 'parquet' } as const
  for (const table of PARTITIONED_TABLES)
    for (const partition of await listPartitions(pool, table))
      await archivePartition(context, { table, ...partition })
}

async function rollUp(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  for (const rollup of ROLLUPS)
    while ((await rollUpNewestHour(client, rollup, Math.floor(Date.now() / 60_000))).left > 0);
  client.release()
}

async function createWorld(): Promise<World> {
  const name = `${template}_${worlds.length}`
  const adminUrl = inject('adminUrl')
  await withPostgres(adminUrl, (client) =>
    client.query(`create database ${name} template ${template} strategy file_copy`),
  )
  const pool = poolOf(urlOfDatabase(adminUrl, name))
  worlds.push({ pool, name })
  const place = join(folder, name)
  await cp(join(folder, 'archives'), place, { recursive: true })
  return { pool, storage: new FolderStorage(place) }
}

interface EraseOptions {
  readonly person?: ErasedPerson
  readonly dryRun?: boolean
}

function erase(
  { pool, storage }: { readonly pool: pg.Pool; readonly storage: ArchiveStorage | undefined },
  { person = ANN_IS, dryRun = false }: EraseOptions = {},
): Promise<ErasureReport> {
  const { signal } = new AbortController()
  return withErasureSession(pool, signal, (client) =>
    runErasure({
      client,
      person,
      storage,
      dryRun,
      signal,
      withoutArchives: false,
      onProgress: () => undefined,
      eraseEntries: async () => ({ erased: 0, left: 0 }),
    }),
  )
}

/** Whose rows are left, in tables and in archives. */
async function expectOnlyBob({ pool, storage }: World, what = ''): Promise<void> {
  const ofBob = before.filter((row) => !row.includes(ANN.mark) && !row.startsWith('dead_letters'))
  const after = await allRows(pool)
  expect(
    after.filter((row) => !row.startsWith('dead_letters')),
    what,
  ).toEqual(ofBob)
  expect(await tablesWith(pool, ANN.mark), what).toEqual([])
  expect(await tablesWith(pool, traceOf(ANN, NEW)), what).toEqual([])
  const rows: string[] = []
  for (const id of await listArchiveIds(storage)) {
    const manifest = await readManifest(storage, id)
    await verifyArchive({ storage }, manifest)
    for (const file of [...manifest.rows, ...manifest.interned]) {
      const path = join(storage.place, id, file.name)
      const text =
        manifest.format === 'parquet'
          ? printed(await readParquet(path))
          : gunzipSync(await readFile(path)).toString()
      expect(text, `${what} ${path}`).not.toContain(ANN.mark)
      expect(text, `${what} ${path}`).not.toContain(traceOf(ANN, OLD))
      if (file.table === manifest.table) rows.push(`${manifest.table} ${file.rows}`)
    }
  }
  // Of each day as much as there is of one of two people.
  expect(rows.sort(), what).toEqual(
    [
      'evaluations 2',
      'log_contents 2',
      'log_records 3',
      'metric_points 3',
      'span_contents 1',
      'spans 2',
    ].flatMap((each) => [each, each]),
  )
  const { rows: erasures } = await pool.query(
    `select finished_at is not null as finished, named_by, subject_hash from erasures`,
  )
  expect(erasures, what).toEqual([{ finished: true, named_by: ['user'], subject_hash: null }])
  for (const table of ['traces', 'responses', 'records', 'series', 'resources', 'archives'])
    expect((await pool.query(`select from erasing_${table}`)).rowCount, what).toBe(0)
}

function printed(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}

async function statisticsOf(pool: pg.Pool): Promise<unknown[]> {
  const statistics = new StatisticsRepository(pool)
  const answers: unknown[] = []
  for (const source of [SPAN_STATISTICS, LLM_USAGE, LOG_LEVELS]) {
    const rows = await statistics.streamGroups(
      source,
      { limit: null },
      { by: ['service'], signal: new AbortController().signal, step: undefined },
    )
    answers.push((await rows.toArray()).map(([json]) => JSON.parse(json)))
  }
  return answers
}

describe('a person who is erased', () => {
  test('is gone from tables, bodies, dead letters and archives, and nothing of anybody else is', async () => {
    const world = await createWorld()
    const report = await erase(world)
    await expectOnlyBob(world)
    expect(Object.fromEntries(report.tables.map(({ table, rows }) => [table, rows]))).toEqual({
      evaluations: 2,
      spans: 2,
      log_records: 3,
      span_contents: 0,
      log_contents: 0,
      metric_points: 1,
    })
    expect(report).toMatchObject({ points: 1, series: 1, letters: 2, unvacuumed: [] })
    expect(report.archives).toHaveLength(12)
    const { rows: letters } = await world.pool.query(
      'select payload is null as purged, count(*)::int as n from dead_letters group by 1 order by 1',
    )
    expect(letters).toEqual([
      { purged: false, n: 2 },
      { purged: true, n: 2 },
    ])
  })
})
