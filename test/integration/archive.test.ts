import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import type { ArchiveBeforeRemoval } from '../../src/retention/archive/archive-before-removal.ts'
import type { ArchivePartition } from '../../src/retention/archive/archive-context.ts'
import { readManifest } from '../../src/retention/archive/archive-manifest.ts'
import { archivePartition } from '../../src/retention/archive/archive-partition.ts'
import { ArchiveRemovals } from '../../src/retention/archive/archive-removals.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { restoreArchive } from '../../src/retention/archive/restore-archive.ts'
import { verifyArchive } from '../../src/retention/archive/verify-archive.ts'
import { PARTITIONED_TABLES, type PartitionedTable, Partitions } from '../../src/retention/partitions.ts'
import { createHostileRows, DAY, DAY_MS } from '../helpers/hostile-rows.ts'
import { readParquet } from '../helpers/read-parquet.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const TABLES = [...PARTITIONED_TABLES, 'resources', 'scopes', 'metrics', 'metric_series'] as const
let pool: pg.Pool
let folder: string

const poolOf = (databaseUrl: string) =>
  createPool({ databaseUrl, applicationName: 'archive test', max: 3, onError: () => undefined })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-'))
  pool = poolOf((await createTestDatabase()).databaseUrl)
  await createHostileRows(pool)
})
afterAll(async () => {
  await pool?.end()
  await rm(folder, { recursive: true, force: true })
})

const partitionOf = (table: PartitionedTable): ArchivePartition => ({
  table,
  name: `${table}_p${DAY.replaceAll('-', '')}`,
  fromMs: DAY_MS,
  toMs: DAY_MS + 86_400_000,
})

const archiveTo =
  (storage: FolderStorage): ArchiveBeforeRemoval =>
  async (of) => {
    const { written } = await archivePartition({ pool, storage, format: 'parquet' }, of)
    return written?.rows[0]
  }

async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  return work(client).finally(() => client.release())
}

/** Every row of a table as PostgreSQL writes it, in an order of its own. */
async function allRows(of: pg.Pool, table: string): Promise<string[]> {
  const { rows } = await of.query<{ row: string }>(
    `select t::text as row from ${table} t order by t::text collate "C"`,
  )
  return rows.map(({ row }) => row)
}

describe.each(['parquet', 'ndjson'] as const)('an archive as %s', (format) => {
  const storage = () => new FolderStorage(join(folder, format))

  test('has every row of every table, and gives back the same into an empty database, once', async () => {
    const manifests = []
    for (const table of PARTITIONED_TABLES) {
      const { rows, written } = await archivePartition(
        { pool, storage: storage(), format },
        partitionOf(table),
      )
      expect(rows, table).toBeGreaterThan(0)
      if (written !== undefined) manifests.push(written)
    }
    expect(manifests).toHaveLength(PARTITIONED_TABLES.length)
    const empty = poolOf((await createTestDatabase()).databaseUrl)
    try {
      for (const manifest of manifests) {
        await verifyArchive({ storage: storage() }, manifest)
        const options = { pool: empty, storage: storage(), partitionInterval: 'day' } as const
        const all = { rows: manifest.rows[0].rows, restored: manifest.rows[0].rows, wasRestoredBefore: false }
        // Both at once: one waits for the other.
        const both = await Promise.all([restoreArchive(options, manifest), restoreArchive(options, manifest)])
        expect(both).toContainEqual(all)
        expect(both).toContainEqual({ ...all, restored: 0, wasRestoredBefore: true })
      }
      for (const table of TABLES)
        expect(await allRows(empty, table), table).toEqual(await allRows(pool, table))
      // What was restored is in an archive.
      const again = await archivePartition({ pool: empty, storage: storage(), format }, partitionOf('spans'))
      expect(again.written).toBeUndefined()
    } finally {
      await empty.end()
    }
  })
})

describe('an archive as parquet', () => {
  /** What a reader of Parquet has of a column of this type. */
  const SHOWN: Readonly<Record<string, (column: string) => string>> = {
    'timestamp with time zone': (column) => `(extract(epoch from ${column}) * 1000000)::bigint::text`,
    bytea: (column) => `encode(${column}, 'hex')`,
    numeric: (column) => `${column}::text`,
    jsonb: (column) => `${column}::text`,
    uuid: (column) => `${column}::text`,
  }

  test.each(PARTITIONED_TABLES)(
    'of %s says in every column what PostgreSQL has, whoever reads it',
    async (table) => {
      const { rows: columns } = await pool.query<{ name: string; type: string }>(
        `select attname as name, format_type(atttypid, null) as type from pg_attribute
        where attrelid = $1::regclass and attnum > 0 order by attnum`,
        [table],
      )
      const select = columns.map(({ name, type }) => `${SHOWN[type]?.(name) ?? name} as "${name}"`)
      const { rows: stored } = await pool.query(
        `select ${select.join(', ')} from ${table} order by entry_ms, entry_seq, record_index`,
      )
      const files = await readdir(join(folder, 'parquet', table, DAY), { recursive: true })
      const file = files.find((name) => name.endsWith(`/${table}.parquet`)) ?? ''
      const rows = await readParquet(join(folder, 'parquet', table, DAY, file))
      const key = (row: Record<string, unknown>) => `${row.entry_ms} ${row.entry_seq} ${row.record_index}`
      expect(rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))).toEqual(
        stored.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
      )
    },
  )
})

test.each([
  ['added', `insert into NAME select * from NAME limit 1`],
  ['changed', `update NAME set record_index = record_index + 100 where ctid = (select min(ctid) from NAME)`],
  ['removed', `delete from NAME where ctid = (select max(ctid) from NAME)`],
])('a partition is compared with its archives when a row was %s, and only then', async (_, change) => {
  const steps: string[] = []
  const partition = partitionOf('evaluations')
  const storage = new FolderStorage(join(folder, 'versions'))
  const compared = async () => {
    steps.length = 0
    const onProgress = ({ step }: { readonly step: string }) => void steps.push(step)
    await archivePartition({ pool, storage, format: 'parquet', onProgress }, partition)
    return steps.includes('checking')
  }
  await compared()
  expect(await compared()).toBe(false)
  await pool.query(`vacuum (freeze) ${partition.name}`)
  expect(await compared()).toBe(false)
  await pool.query(change.replaceAll('NAME', partition.name))
  expect(await compared()).toBe(true)
  expect(await compared()).toBe(false)
})

describe('rows that come after', () => {
  const late = () => new FolderStorage(join(folder, 'late'))
  const context = () => ({ pool, storage: late(), format: 'parquet' as const })
  const partition = partitionOf('log_records')
  const archived = async () => (await archivePartition(context(), partition)).written?.rows[0].rows
  const addLog = (seq: number) =>
    pool.query(
      `insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index,
         severity_number, has_content, body_is_json, service, attributes)
       values ('${DAY}T12:00:00Z', 0, 1, 1, 77, $1, 0, 9, false, false, 'late', '{}')`,
      [seq],
    )

  test('the partition was archived go into a further archive, and only they', async () => {
    const { rows } = await archivePartition(context(), partition)
    expect(await archived()).toBeUndefined()
    await addLog(1)
    await addLog(1)
    expect(await archived()).toBe(2)
    expect(await archived()).toBeUndefined()
    // A third of the same: rows are counted, not only known. All come, for of archives that have a row the one with most counts.
    await addLog(1)
    expect(await archived()).toBe(3)
    expect((await archivePartition(context(), partition)).rows).toBe(rows + 3)
  })

  test('it was dropped and made anew go into a further archive too, and all come back, each once', async () => {
    const before = await allRows(pool, 'log_records')
    await pool.query(`drop table ${partition.name}`)
    const client = await pool.connect()
    await new Partitions({ pool, interval: 'day' })
      .ensure(client, ['log_records'], [DAY_MS])
      .finally(() => client.release())
    await addLog(9)
    expect(await archived()).toBe(1)
    const ids = (await late().list('log_records')).filter((path) => path.endsWith('manifest.json'))
    expect(ids).toHaveLength(4)
    const options = { pool, storage: late(), partitionInterval: 'day' } as const
    const outcomes = []
    for (const path of ids) {
      const manifest = JSON.parse(await readFile(join(folder, 'late', path), 'utf8'))
      outcomes.push((await restoreArchive(options, manifest)).restored)
    }
    // The last one has the row that is there.
    expect(outcomes).toEqual([before.length - 3, 2, 1, 0])
    await pool.query('delete from log_records where entry_seq = 9 and entry_ms = 77')
    expect(await allRows(pool, 'log_records')).toEqual(before)
  })

  test('were deleted since do not come back by restoring once more, and stay in the archive', async () => {
    await pool.query('delete from log_records where entry_ms = 77')
    const path = (await late().list('log_records')).find((each) => each.endsWith('manifest.json')) ?? ''
    const manifest = JSON.parse(await readFile(join(folder, 'late', path), 'utf8'))
    const outcome = await restoreArchive({ pool, storage: late(), partitionInterval: 'day' }, manifest)
    expect(outcome).toMatchObject({ restored: 0, wasRestoredBefore: true })
    expect(await archived()).toBeUndefined()
    expect(await archived()).toBeUndefined()
  })

  test('of which the cost was computed anew come back with that cost, each once', async () => {
    const spans = partitionOf('spans')
    const storage = new FolderStorage(join(folder, 'repriced'))
    await archivePartition({ pool, storage, format: 'parquet' }, spans)
    await pool.query('update spans set cost = 0.5, cost_is_computed = true where cost is not null')
    const repriced = await archivePartition({ pool, storage, format: 'parquet' }, spans)
    expect(repriced.written?.rows[0].rows).toBeGreaterThan(0)
    const before = await allRows(pool, 'spans')
    await pool.query(`drop table ${spans.name}`)
    const ids = (await storage.list('spans')).filter((path) => path.endsWith('manifest.json'))
    for (const path of ids.toReversed()) {
      const manifest = JSON.parse(await readFile(join(folder, 'repriced', path), 'utf8'))
      await restoreArchive({ pool, storage, partitionInterval: 'day' }, manifest)
    }
    expect(await allRows(pool, 'spans')).toEqual(before)
  })
})

describe('a restore', () => {
  test('is one transaction with what is computed of the rows, into partitions of another length too', async () => {
    const storage = new FolderStorage(join(folder, 'computed'))
    const { written } = await archivePartition(
      { pool, storage, format: 'parquet' },
      partitionOf('evaluations'),
    )
    if (written === undefined) throw new Error('nothing was written')
    const empty = poolOf((await createTestDatabase()).databaseUrl)
    try {
      const options = { pool: empty, storage, partitionInterval: 'hour' } as const
      const told: object[] = []
      const failing = restoreArchive(
        {
          ...options,
          onRestored: async (client, { relation, ...range }) => {
            const { rows } = await client.query(`select count(*)::int as n from ${relation} as restored`)
            told.push({ ...range, ...rows[0] })
            throw new Error('it could not be computed')
          },
        },
        written,
      )
      await expect(failing).rejects.toThrow('it could not be computed')
      const { table, fromMs, toMs } = partitionOf('evaluations')
      expect(told).toEqual([{ table, fromMs, toMs, n: 8 }])
      expect(await allRows(empty, 'evaluations')).toEqual([])
      expect(await restoreArchive(options, written)).toMatchObject({ restored: 8 })
      expect(await allRows(empty, 'evaluations')).toEqual(await allRows(pool, 'evaluations'))
      // What the hours have is in the archive of the day.
      const hour = {
        table,
        name: 'evaluations_p20260329t06',
        fromMs: DAY_MS + 6 * 3_600_000,
        toMs: DAY_MS + 7 * 3_600_000,
      }
      expect(await archivePartition({ ...options, format: 'parquet' }, hour)).toEqual({
        rows: 8,
        written: undefined,
      })
    } finally {
      await empty.end()
    }
  })
})

describe('an archive that has changed', () => {
  test('is unsound: it is not restored, and its partition not taken for archived', async () => {
    const storage = new FolderStorage(join(folder, 'changed'))
    const context = { pool, storage, format: 'ndjson' as const }
    const partition = partitionOf('metric_points')
    const { written } = await archivePartition(context, partition)
    if (written === undefined) throw new Error('nothing was written')
    const file = join(folder, 'changed', written.id, written.rows[0].name)
    const bytes = await readFile(file)
    const unsound = { code: 'ERR_ARCHIVE_UNSOUND', message: expect.stringContaining(written.rows[0].name) }
    for (const damaged of [bytes.subarray(0, -9), Buffer.alloc(0), Buffer.from(bytes).fill(7, 200, 210)]) {
      await writeFile(file, damaged)
      await expect(verifyArchive({ storage }, written)).rejects.toMatchObject(unsound)
      await expect(archivePartition(context, partition)).rejects.toMatchObject(unsound)
      await pool.query('delete from metric_points')
      await pool.query('update archives set restored_at = null')
      await expect(
        restoreArchive({ pool, storage, partitionInterval: 'day' }, written),
      ).rejects.toMatchObject(unsound)
      expect(await allRows(pool, 'metric_points')).toEqual([])
      await writeFile(file, bytes)
      await restoreArchive({ pool, storage, partitionInterval: 'day' }, written)
    }
    expect(await allRows(pool, 'metric_points')).toHaveLength(written.rows[0].rows)
  })

  test('of which the manifest says what no archive can is refused before it comes to SQL or to a path', async () => {
    const storage = new FolderStorage(join(folder, 'forged'))
    const { written } = await archivePartition(
      { pool, storage, format: 'ndjson' },
      partitionOf('evaluations'),
    )
    if (written === undefined) throw new Error('nothing was written')
    const [file] = written.rows
    for (const forged of [
      { table: 'users' },
      { from: `${written.from}'; drop table spans; --` },
      { rows: [{ ...file, table: 'spans' }] },
      { rows: [{ ...file, name: '../../../evaluations.ndjson.gz' }] },
      { interned: [{ ...file, table: 'pg_authid', name: 'pg_authid.ndjson.gz' }] },
      { version: 2 },
      { rows: null },
    ]) {
      const text = JSON.stringify({ ...written, ...forged })
      await writeFile(join(folder, 'forged', written.id, 'manifest.json'), text)
      await expect(readManifest(storage, written.id), text).rejects.toMatchObject({
        code: 'ERR_ARCHIVE_UNSOUND',
      })
    }
  })

  test('that is gone makes another one', async () => {
    const storage = new FolderStorage(join(folder, 'gone'))
    const context = { pool, storage, format: 'parquet' as const }
    const first = await archivePartition(context, partitionOf('evaluations'))
    await rm(join(folder, 'gone', first.written?.id ?? 'none'), { recursive: true })
    const second = await archivePartition(context, partitionOf('evaluations'))
    expect(second.written?.rows[0]).toMatchObject({ content: first.written?.rows[0].content })
  })
})

test.each([
  ['added', `insert into NAME select * from NAME limit 1`],
  ['changed', `update NAME set record_index = record_index + 100 where ctid = (select max(ctid) from NAME)`],
])(
  'a row that is %s after the partition was archived, and before it goes, holds that up until the next time',
  async (_, change) => {
    const storage = new FolderStorage(join(folder, 'held up'))
    const hooks = new ArchiveRemovals(pool, archiveTo(storage))
    const { name, ...range } = partitionOf('evaluations')
    const removal = { ...range, kind: 'partition', signal: 'traces', partition: name } as const
    const due = { ...removal, removalId: 1n, rules: undefined }
    const { signal } = new AbortController()
    const remove = () => withClient((client) => hooks.removeRows(client, due, name))
    await hooks.beforeRemoval(due, signal)
    await pool.query(change.replaceAll('NAME', name))
    await expect(remove()).rejects.toThrow(/rows came/)
    await hooks.beforeRemoval(due, signal)
    await remove()
  },
)

test('rows are deleted as long as it is known that none came since they were archived, else by the next run', async () => {
  const storage = new FolderStorage(join(folder, 'forgotten'))
  const hooks = new ArchiveRemovals(pool, archiveTo(storage), { changesKnownMs: 5000 })
  const { name, ...range } = partitionOf('evaluations')
  const due = { ...range, kind: 'rows', signal: 'traces', partition: name, removalId: 2n, rules: '' } as const
  const remove = () => withClient((client) => hooks.removeRows(client, due, name))
  await hooks.beforeRemoval(due, new AbortController().signal)
  for (const afterMs of [3000, 3000]) {
    await delay(afterMs)
    await remove()
  }
  await delay(5100)
  await expect(remove()).rejects.toThrow(/too long ago/)
  await hooks.beforeRemoval(due, new AbortController().signal)
  await remove()
})

test('a partition that was detached before its table got a column is archived as it is', async () => {
  const storage = new FolderStorage(join(folder, 'of before'))
  const { name, ...range } = partitionOf('evaluations')
  const partition = { ...range, name: 'detached_before' }
  await pool.query(`create table detached_before as select * from ${name}`)
  await pool.query('alter table detached_before drop column score')
  try {
    const { written } = await archivePartition({ pool, storage, format: 'parquet' }, partition)
    expect(written?.rows[0].columns.map((column) => column.name)).not.toContain('score')
    expect(await archivePartition({ pool, storage, format: 'parquet' }, partition)).toMatchObject({
      rows: written?.rows[0].rows,
      written: undefined,
    })
  } finally {
    await pool.query('drop table detached_before')
  }
})
