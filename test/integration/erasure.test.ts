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
import { createArchiveBeforeRemoval } from '../../src/retention/archive/archive-before-removal.ts'
import { shareArchives } from '../../src/retention/archive/archive-lock.ts'
import { listArchiveIds, readManifest } from '../../src/retention/archive/archive-manifest.ts'
import { archivePartition } from '../../src/retention/archive/archive-partition.ts'
import type { ArchiveStorage } from '../../src/retention/archive/archive-storage.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { restoreArchive } from '../../src/retention/archive/restore-archive.ts'
import { S3Storage } from '../../src/retention/archive/s3-storage.ts'
import { verifyArchive } from '../../src/retention/archive/verify-archive.ts'
import { createRemovalHooks } from '../../src/retention/create-removal-hooks.ts'
import type { ErasedPerson } from '../../src/retention/erasure/erased-person.ts'
import { withErasureSession } from '../../src/retention/erasure/erasure-session.ts'
import { type ErasureReport, runErasure } from '../../src/retention/erasure/run-erasure.ts'
import { listPartitions } from '../../src/retention/list-partitions.ts'
import { PARTITIONED_TABLES } from '../../src/retention/partitions.ts'
import { urlOfDatabase, withPostgres } from '../helpers/postgres.ts'
import { readParquet } from '../helpers/read-parquet.ts'
import { retentionPolicy, runOnce } from '../helpers/retention-run.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { startS3Server } from '../helpers/s3-server.ts'
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
/** Of statistics when one of the two is gone. */
let countsOfOne: readonly number[]
let filesOfAll: number
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
  const archiveUrl = join(folder, 'archives')
  const { settings } = loadSettings({ env: { ARCHIVE_URL: archiveUrl, ARCHIVE_FORMAT: 'ndjson' }, cwd: '/' })
  const hooks = createRemovalHooks(pool, createArchiveBeforeRemoval(pool, settings))
  const days = { traces: 4, logs: 4, metrics: 4 }
  const { outcome } = await runOnce(pool, retentionPolicy(days), { hooks, nowMs: Date.now() })
  expect(outcome).toBe('finished')
  await archiveDay(pool, archiveUrl)
  await rollUp(pool)
  before = await allRows(pool)
  countsOfOne = countsIn(await statisticsOf(pool)).map((count) => count / 2)
  filesOfAll = (await filesIn(join(folder, 'archives'))).length
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

/** What is in no archive yet, as Parquet. */
async function archiveDay(pool: pg.Pool, archiveUrl: string): Promise<void> {
  const context = { pool, storage: new FolderStorage(archiveUrl), format: 'parquet' } as const
  for (const table of PARTITIONED_TABLES)
    for (const partition of await listPartitions(pool, table))
      await archivePartition(context, { table, ...partition })
}

const rollUp = (pool: pg.Pool) => rollUpAll(pool, Math.floor(Date.now() / 60_000))

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
  const { rows: rolled } = await pool.query(
    `select count(*)::int as hours, count(*) filter (where not exists (select from metric_series s where s.series_id = r.series_id))::int as nameless
       from metric_rollup_hours r`,
  )
  expect(rolled, what).toEqual([{ hours: expect.any(Number), nameless: 0 }])
  expect(rolled[0].hours, what).toBeGreaterThan(0)
  for (const table of ['traces', 'responses', 'records', 'series', 'resources', 'archives'])
    expect((await pool.query(`select from erasing_${table}`)).rowCount, what).toBe(0)
}

function printed(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}

async function restoreAll({ pool, storage }: World): Promise<void> {
  const ids = await listArchiveIds(storage)
  for (const id of ids)
    await restoreArchive({ pool, storage, partitionInterval: 'day' }, await readManifest(storage, id))
}

/** In how many columns PostgreSQL's statistics have a text among their values. */
async function statisticsWith(pool: pg.Pool, text: string): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stats where schemaname = 'public' and concat(most_common_vals::text, histogram_bounds::text) like '%' || $1 || '%'`,
    [text],
  )
  return rowCount ?? 0
}

async function filesIn(place: string): Promise<readonly string[]> {
  const entries = await readdir(place, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(place.length + 1))
    .sort()
}

/** Every number of rows that answers tell. */
function countsIn(answers: unknown): readonly number[] {
  return [...JSON.stringify(answers).matchAll(/"(?:count|calls|inputTokens|spanCount)": ?(\d+)/g)].map(
    ([, count]) => Number(count),
  )
}

/** Where the process ends before its step of that number: a statement that changes something, or a file that is written or removed. */
class DyingWorld {
  done = 0
  readonly pool: pg.Pool
  readonly storage: ArchiveStorage

  constructor({ pool, storage }: World, at: number) {
    const step = () => {
      this.done += 1
      if (this.done >= at) throw Object.assign(new Error('The process died'), { code: 'ECONNRESET' })
    }
    const connect = async () => {
      const client = await pool.connect()
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
      const { release } = client
      const counting = async (...args: unknown[]) => {
        const text = String(args[0])
        const changes =
          !/^\s*(select|begin|set|lock|rollback)\b|temporary|pg_temp/.test(text) &&
          typeof args[0] === 'string'
        try {
          if (changes) step()
          else if (this.done >= at) throw new Error('The process died')
        } catch (error) {
          client.connection.stream.destroy()
          throw error
        }
        return query(...args)
      }
      return Object.assign(client, {
        query: (...args: unknown[]) => (typeof args[0] === 'string' ? counting(...args) : query(...args)),
        release: () => {
          Reflect.deleteProperty(client, 'query')
          release.call(client, true)
        },
      })
    }
    this.pool = { connect } as unknown as pg.Pool
    this.storage = {
      place: storage.place,
      size: (path) => storage.size(path),
      read: (path, start, end) => storage.read(path, start, end),
      stream: (path) => storage.stream(path),
      list: (path, options) => storage.list(path, options),
      write: async (path, chunks) => {
        step()
        await storage.write(path, chunks)
      },
      remove: async (path) => {
        step()
        await storage.remove(path)
      },
    }
  }
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
    await world.pool.query('analyze')
    expect(await statisticsWith(world.pool, ANN.mark)).not.toBe(0)
    const report = await erase(world)
    await expectOnlyBob(world)
    expect(await statisticsWith(world.pool, ANN.mark)).toBe(0)
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
    // What is left of a partition is what is left of its archives.
    const archived = await listArchiveIds(world.storage)
    await archiveDay(world.pool, world.storage.place)
    expect(await listArchiveIds(world.storage)).toEqual(archived)
    const { rows: letters } = await world.pool.query(
      'select payload is null as purged, count(*)::int as n from dead_letters group by 1 order by 1',
    )
    expect(letters).toEqual([
      { purged: false, n: 2 },
      { purged: true, n: 2 },
    ])
  })

  test('is gone from statistics, also of the day whose rows were removed, and nobody else is', async () => {
    const [ann, bob] = [await createWorld(), await createWorld()]
    const all = await statisticsOf(ann.pool)
    await erase(ann)
    await erase(bob, { person: { users: [BOB.name], sessions: [], traceIds: [] } })
    // Both did the same, so half is left of whomever goes.
    for (const look of ['before rollups are made anew', 'after']) {
      const answers = await statisticsOf(ann.pool)
      expect(answers, look).toEqual(await statisticsOf(bob.pool))
      expect(countsIn(answers), look).toEqual(countsIn(all).map((count) => count / 2))
      for (const { pool } of [ann, bob]) await rollUp(pool)
    }
  })

  test('is gone from statistics once, when the removed day had been restored', async () => {
    const { pool, storage } = await createWorld()
    const all = countsIn(await statisticsOf(pool))
    await restoreAll({ pool, storage })
    expect(countsIn(await statisticsOf(pool))).toEqual(all)
    await erase({ pool, storage })
    await rollUp(pool)
    expect(countsIn(await statisticsOf(pool))).toEqual(all.map((count) => count / 2))
    expect(await tablesWith(pool, ANN.mark)).toEqual([])
    expect(await tablesWith(pool, traceOf(ANN, OLD))).toEqual([])
  })

  test('is gone from statistics once, when rows came late for the removed day and are in tables and archives', async () => {
    const { pool, storage } = await createWorld()
    await writeRecords(pool, recordsOf(ANN, OLD + 100))
    await archiveDay(pool, storage.place)
    await erase({ pool, storage })
    await rollUp(pool)
    expect(countsIn(await statisticsOf(pool))).toEqual(countsOfOne)
    expect(await tablesWith(pool, ANN.mark)).toEqual([])
  })

  test('does not come back with an archive: everybody else does', async () => {
    const world = await createWorld()
    await erase(world)
    await restoreAll(world)
    expect(await tablesWith(world.pool, ANN.mark)).toEqual([])
    expect(await tablesWith(world.pool, traceOf(ANN, OLD))).toEqual([])
    const { rows } = await world.pool.query(
      `select (select count(*) from spans)::int as spans, (select count(*) from log_contents)::int as contents,
              (select count(*) from metric_points)::int as points, (select count(*) from evaluations)::int as evaluations`,
    )
    expect(rows).toEqual([{ spans: 4, contents: 4, points: 6, evaluations: 4 }])
  })

  test.each([
    ['a session', { users: [], sessions: [`session ${ANN.name}`], traceIds: [] }],
    ['traces', { users: [], sessions: [], traceIds: [traceOf(ANN, OLD), traceOf(ANN, NEW)] }],
  ])('by %s loses whole traces, in tables and in archives', async (_what, person) => {
    const { pool, storage } = await createWorld()
    const report = await erase({ pool, storage }, { person })
    const rows = Object.fromEntries(report.tables.map((each) => [each.table, each.rows]))
    // The log record and the points that name the user alone stay.
    expect(rows).toMatchObject({ spans: 2, log_records: 2, evaluations: 2, metric_points: 0 })
    expect(report.points).toBe(1)
    expect(report.archives.map(({ rows: gone }) => gone).sort()).toEqual([0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2])
    expect(await tablesWith(pool, traceOf(ANN, NEW))).toEqual([])
  })

  test('is only told of by a dry run', async () => {
    const world = await createWorld()
    const files = await filesIn(world.storage.place)
    const { archives, ...told } = await erase(world, { dryRun: true })
    expect(await allRows(world.pool)).toEqual(before)
    expect(await filesIn(world.storage.place)).toEqual(files)
    expect((await world.pool.query('select from erasures')).rowCount).toBe(0)
    const done = await erase(world)
    expect(told.tables.filter(({ table }) => !table.endsWith('_contents'))).toEqual(
      done.tables.filter(({ table }) => !table.endsWith('_contents')),
    )
    expect([told.letters, told.series, told.points]).toEqual([done.letters, done.series, done.points])
    expect(archives.map(({ id, rows }) => ({ id, rows }))).toEqual(
      done.archives.map(({ id, rows }) => ({ id, rows })),
    )
  })
})

describe('an erasure', () => {
  test('of archives in a bucket leaves there what a folder has', async () => {
    const { pool, storage: folderStorage } = await createWorld()
    const server = await startS3Server()
    try {
      const { endpoint, keyId: accessKeyId, secretKey: secretAccessKey } = server
      const storage = new S3Storage({
        bucket: 'bucket',
        prefix: 'a',
        endpoint,
        region: 'us-east-1',
        accessKeyId,
        secretAccessKey,
      })
      for (const path of await filesIn(folderStorage.place))
        await storage.write(path, folderStorage.stream(path) as AsyncIterable<Buffer>)
      const { archives } = await erase({ pool, storage })
      expect(archives).toHaveLength(12)
      const copied = new FolderStorage(join(folder, 'from-bucket'))
      for (const table of [
        'spans',
        'span_contents',
        'log_records',
        'log_contents',
        'evaluations',
        'metric_points',
      ])
        for (const path of await storage.list(table)) await copied.write(path, storage.stream(path))
      await expectOnlyBob({ pool, storage: copied })
      expect(await filesIn(copied.place)).toHaveLength(filesOfAll)
    } finally {
      await server.close()
    }
  })

  test('does nothing when it is not said where archives are, or one cannot be read', async () => {
    const { pool, storage } = await createWorld()
    await expect(erase({ pool, storage: undefined })).rejects.toThrow('12 archives were written')
    const [id = ''] = await listArchiveIds(storage, 'log_records')
    const { rows, format } = await readManifest(storage, id)
    const path = join(storage.place, id, rows[0].name)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 20))
    await expect(erase({ pool, storage })).rejects.toThrow(path.slice(storage.place.length + 1))
    expect(format).toBe('ndjson')
    expect(await allRows(pool)).toEqual(before)
    await writeFile(path, bytes)
    await erase({ pool, storage })
    await expectOnlyBob({ pool, storage })
  })

  test('and who writes or restores archives exclude each other', async () => {
    const world = await createWorld()
    const [id = ''] = await listArchiveIds(world.storage, 'spans')
    const restore = async () =>
      restoreArchive({ ...world, partitionInterval: 'day' }, await readManifest(world.storage, id))
    const { signal } = new AbortController()
    await withErasureSession(world.pool, signal, async () => {
      await expect(restore()).rejects.toThrow('being erased')
      await expect(archiveDay(world.pool, world.storage.place)).rejects.toThrow('being erased')
    })
    const other = await world.pool.connect()
    await shareArchives(other)
    await expect(erase(world)).rejects.toThrow('Archives are being written')
    other.release(true)
  })

  test('removes what killed writers of archives have left, and no other files', async () => {
    const world = await createWorld()
    const { place } = world.storage
    const left = 'spans/2026-01-01/20260102T000000000Z-0123abcd'
    await cp(join(place, (await listArchiveIds(world.storage, 'spans'))[0] ?? ''), join(place, left), {
      recursive: true,
    })
    await rm(join(place, left, 'manifest.json'))
    await writeFile(join(place, left, 'spans.parquet-0123abcd.unfinished'), 'half')
    await writeFile(join(place, 'spans', 'README'), 'mine')
    await erase(world)
    const files = await filesIn(place)
    expect(files.filter((file) => file.includes('0123abcd'))).toEqual([])
    expect(files).toContain('spans/README')
  })

  test('that dies anywhere is finished by the next one of the same ids: nothing is left, nobody else loses a row', async () => {
    let deaths = 0
    // Of some 260 steps; all of them take minutes.
    const every = process.env.EVERY_DEATH === '1' ? 1 : 59
    for (let at = 1; ; at += every) {
      const world = await createWorld()
      const dying = new DyingWorld(world, at)
      const died = await erase({ pool: dying.pool, storage: dying.storage }).then(
        () => false,
        () => true,
      )
      if (!died) {
        expect(dying.done).toBeLessThan(at)
        break
      }
      deaths += 1
      const statistics = countsIn(await statisticsOf(world.pool))
      await erase(world)
      await expectOnlyBob(world, `death at ${at}`)
      expect(statistics.length).toBeGreaterThan(0)
      expect(countsIn(await statisticsOf(world.pool)), `death at ${at}`).toEqual(countsOfOne)
      expect((await filesIn(world.storage.place)).length, `death at ${at}`).toBe(filesOfAll)
    }
    expect(deaths).toBeGreaterThan(3)
  })
})
