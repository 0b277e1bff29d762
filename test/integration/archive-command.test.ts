import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createPool } from '../../src/pool.ts'
import { createArchiveBeforeRemoval } from '../../src/retention/archive/archive-before-removal.ts'
import { openArchiveStorage } from '../../src/retention/archive/open-archive-storage.ts'
import { createHostileRows, DAY, DAY_MS } from '../helpers/hostile-rows.ts'
import { RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

let folder: string
let databaseUrl: string
let pool: pg.Pool

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-command-'))
  databaseUrl = (await createTestDatabase()).databaseUrl
  pool = createPool({ databaseUrl, applicationName: 'archive test', max: 3, onError: () => undefined })
  await createHostileRows(pool)
})
afterAll(async () => {
  await pool?.end()
  await rm(folder, { recursive: true, force: true })
})

const env = (url = folder) => ({ DATABASE_URL: databaseUrl, ARCHIVE_URL: url })
const archive = (...args: string[]) => runObservatory(['archive', ...args], { env: env() })

test('partitions are archived, listed, verified and restored by commands that scripts can read', async () => {
  const tables = ['--table', 'evaluations', '--table', 'log_records']
  const run = await archive('run', ...tables, '--json')
  expect(run.code, run.stderr).toBe(0)
  const { partitions, rows, archives } = JSON.parse(run.stdout)
  expect({ partitions, rows }).toEqual({ partitions: 2, rows: 11 })
  expect(archives.map(({ table }: { table: string }) => table)).toEqual(['evaluations', 'log_records'])
  expect(run.stderr).toContain(`log_records_p${DAY.replaceAll('-', '')}: 3 rows`)
  expect((await archive('run', ...tables)).stdout).toMatch(
    /^2 closed partitions with 11 rows are in archives, 0 of which/,
  )

  const list = await archive('list', '--from', DAY, '--table', 'log_records', '--json')
  expect(JSON.parse(list.stdout)).toEqual({ ...archives[1], restoredAt: null })
  expect((await archive('list', '--to', DAY)).stdout).toBe('ARCHIVE  ROWS  SIZE  FORMAT  RESTORED\n')

  const restore = await archive('restore', archives[1].id, '--json')
  expect(JSON.parse(restore.stdout)).toEqual({
    archives: [{ id: archives[1].id, rows: 3, restored: 0, wasRestoredBefore: false }],
  })

  const file = join(folder, archives[1].id, 'log_records.parquet')
  await writeFile(file, (await readFile(file)).fill(1, 100, 101))
  const verify = await archive('verify', '--json')
  expect(verify.code).toBe(1)
  expect(JSON.parse(verify.stdout)).toMatchObject({ archives: 2, rows: 8, unsound: [{ id: archives[1].id }] })
  expect(verify.stderr).toContain('log_records.parquet')
})

test.each([
  [['run'], {}, /set ARCHIVE_URL/],
  [['run'], { ARCHIVE_URL: 'ftp://somewhere/else' }, /expected a folder, file:\/\/.*s3:\/\//],
  [['list'], { ARCHIVE_URL: 's3://bucket/x', ARCHIVE_S3_SECRET_KEY: 'topsecret' }, /set ARCHIVE_S3_KEY_ID/],
  [['restore'], { ARCHIVE_URL: '/tmp/x' }, /Which\?/],
  [['run', '--archive-s3-secret-key', 'top secret'], {}, /ARCHIVE_S3_SECRET_KEY \(flag\): is no key/],
] as const)('archive %j with %j is wrong usage, and says what is right', async (args, settings, message) => {
  const { code, stderr } = await runObservatory(['archive', ...args], {
    env: { DATABASE_URL: databaseUrl, ...settings },
  })
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) })
  expect(stderr).not.toMatch(/top ?secret/)
})

test('keys are read from files, and shown nowhere', async () => {
  const file = join(folder, 'key')
  await writeFile(file, 'topsecret/+=\n')
  const { code, stdout } = await runObservatory(['serve', '--print-config'], {
    env: { ARCHIVE_S3_SECRET_KEY_FILE: file, ARCHIVE_S3_KEY_ID: 'topsecretid', ARCHIVE_URL: 's3://b' },
  })
  expect(code).toBe(0)
  expect(stdout).toMatch(/ARCHIVE_S3_SECRET_KEY\s+\*\*\*/)
  expect(stdout).not.toContain('topsecret')
  const { settings } = loadSettings({ env: { ARCHIVE_S3_SECRET_KEY_FILE: file }, cwd: '/' })
  expect(settings.archiveS3SecretKey).toBe('topsecret/+=')
})

describe('what removes partitions', () => {
  const settings = (more: Record<string, string>) => loadSettings({ env: more, cwd: '/' }).settings
  const partition = {
    table: 'span_contents',
    name: `span_contents_p${DAY.replaceAll('-', '')}`,
    fromMs: DAY_MS,
    toMs: DAY_MS + 86_400_000,
  } as const

  test('has nothing to await where no archives are kept', () => {
    expect(createArchiveBeforeRemoval(pool, settings({}))).toBeUndefined()
  })

  test('awaits that every row is in an archive: of the partition, and of the table it is once it was detached', async () => {
    const url = join(folder, 'removed')
    const archiveBeforeRemoval = createArchiveBeforeRemoval(pool, settings({ ARCHIVE_URL: url }))
    if (archiveBeforeRemoval === undefined) throw new Error('there is nothing to await')
    const rowsIn = async () => {
      const { stdout } = await runObservatory(['archive', 'list', '--json'], { env: env(url) })
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).rows)
    }
    await archiveBeforeRemoval(partition)
    const { rows } = await pool.query(`select count(*)::int as n from ${partition.name}`)
    // One more comes before nothing can come any more.
    await pool.query(
      `insert into span_contents select start_time, 88, entry_seq, trace_id, record_index, '{"late": 1}' from span_contents limit 1`,
    )
    await pool.query(`alter table span_contents detach partition ${partition.name}`)
    await archiveBeforeRemoval(partition)
    expect(await rowsIn()).toEqual([rows[0].n, 1])
  })

  test('is told when there is nowhere to write to', async () => {
    const file = join(folder, 'a file')
    await writeFile(file, '')
    const archiveBeforeRemoval = createArchiveBeforeRemoval(pool, settings({ ARCHIVE_URL: join(file, 'x') }))
    await expect(archiveBeforeRemoval?.({ ...partition, table: 'spans', name: 'spans' })).rejects.toThrow(
      /ENOTDIR/,
    )
  })
})

test('a partition of any size is archived in the same memory', async () => {
  await pool.query(
    `insert into metric_points (time, time_unix_nano, series_id, entry_ms, entry_seq, record_index, value, bucket_counts)
     select '${DAY}'::timestamptz + n * interval '1 ms', n, 8, 1, n, 0, n, array[n, n + 1] from generate_series(1, 120000) n`,
  )
  const peakMiB = async (url: string, ...more: string[]) => {
    const running = new RunningCommand(['archive', 'run', '--table', 'metric_points', ...more], {
      // What is garbage already is not counted so.
      env: { ...env(url), NODE_OPTIONS: '--max-semi-space-size=4' },
    })
    let peak = 0
    const look = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
      } catch {}
    }, 20)
    const { code, stderr } = await running.finished
    clearInterval(look)
    expect(code, stderr).toBe(0)
    return peak / 1024
  }
  const least = await peakMiB(join(folder, 'none'), '--before', '2000-01-01')
  const most = await peakMiB(join(folder, 'large'))
  expect(most - least).toBeLessThan(100)
})

test('a place is a folder, a URL of a folder, or a bucket', () => {
  const { settings } = loadSettings({
    env: { ARCHIVE_S3_KEY_ID: 'id', ARCHIVE_S3_SECRET_KEY: 'key' },
    cwd: '/',
  })
  const place = (archiveUrl: string) => openArchiveStorage({ ...settings, archiveUrl })?.place
  expect(place('/var/lib/archives')).toBe('/var/lib/archives')
  expect(place('file:///var/lib/my%20archives')).toBe('/var/lib/my archives')
  expect(place('s3://bucket')).toBe('s3://bucket')
  expect(place('s3://bucket/a/b/')).toBe('s3://bucket/a/b')
  expect(() => place('s3://')).toThrow(/no bucket/)
  expect(() => place('https://s3.example.com/bucket')).toThrow(/expected a folder/)
})
