import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import type { ArchiveContext } from '../../src/retention/archive/archive-context.ts'
import { archivesWithin } from '../../src/retention/archive/archive-manifest.ts'
import { archivePartition } from '../../src/retention/archive/archive-partition.ts'
import { restoreArchive } from '../../src/retention/archive/restore-archive.ts'
import { S3Storage } from '../../src/retention/archive/s3-storage.ts'
import { verifyArchive } from '../../src/retention/archive/verify-archive.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHostileRows, DAY, DAY_MS } from '../helpers/hostile-rows.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { type S3Server, startS3Server } from '../helpers/s3-server.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const TABLE = 'log_records'
const PARTITION = {
  table: TABLE,
  name: `${TABLE}_p${DAY.replaceAll('-', '')}`,
  fromMs: DAY_MS,
  toMs: DAY_MS + 86_400_000,
} as const
let server: S3Server
let databaseUrl: string
let pool: pg.Pool
let empty: { readonly databaseUrl: string; readonly pool: pg.Pool }
let stored: string[]

const poolOf = (url: string) =>
  createPool({ databaseUrl: url, applicationName: 'archive test', max: 3, onError: () => undefined })

beforeAll(async () => {
  server = await startS3Server()
  databaseUrl = (await createTestDatabase()).databaseUrl
  pool = poolOf(databaseUrl)
  await createHostileRows(pool)
  stored = await allRows(pool)
  const other = await createTestDatabase()
  empty = { databaseUrl: other.databaseUrl, pool: poolOf(other.databaseUrl) }
})
afterAll(async () => {
  await pool?.end()
  await empty?.pool.end()
  await server?.close()
})
beforeEach(() => {
  server.onRequest = () => undefined
})

async function allRows(of: pg.Pool): Promise<string[]> {
  const { rows } = await of.query<{ row: string }>(`select t::text as row from ${TABLE} t order by 1`)
  return rows.map(({ row }) => row)
}

function storageOf(prefix: string): S3Storage {
  const { endpoint, keyId: accessKeyId, secretKey: secretAccessKey } = server
  return new S3Storage({
    bucket: 'bucket',
    prefix,
    endpoint,
    region: 'us-east-1',
    accessKeyId,
    secretAccessKey,
  })
}

function observatory(url: string, prefix: string, ...args: string[]): RunningCommand {
  const env = {
    DATABASE_URL: url,
    ARCHIVE_URL: `s3://bucket/${prefix}`,
    ARCHIVE_S3_ENDPOINT: server.endpoint,
    ARCHIVE_S3_KEY_ID: server.keyId,
    ARCHIVE_S3_SECRET_KEY: server.secretKey,
  }
  return new RunningCommand(['archive', ...args, '--table', TABLE], { env })
}

/** Runs a command that is killed at a request: before the server does what it asks for, or before it answers. */
async function killedAt(command: () => RunningCommand, at: RegExp, when: 'before' | 'after'): Promise<void> {
  let running: RunningCommand | undefined
  let killed = false
  server.onRequest = async (request, now) => {
    if (killed || now !== when || !at.test(request)) return
    killed = true
    await running?.kill()
  }
  running = command()
  const { code } = await running.finished
  expect({ killed, code }, running.stderr).toEqual({ killed: true, code: null })
  server.onRequest = () => undefined
}

describe('archiving that is killed', () => {
  test.each([
    ['while rows are written', /^PUT .*log_records\.parquet/, 'before'],
    ['while what they refer to is written', /^PUT .*scopes\.parquet/, 'before'],
    ['before it has a manifest', /^PUT .*manifest\.json/, 'before'],
    ['when it has one', /^PUT .*manifest\.json/, 'after'],
    ['while it is read back', /^GET .*log_records\.parquet/, 'before'],
  ] as const)('%s leaves nothing that counts, and is done by the next run', async (name, at, when) => {
    const prefix = name.replaceAll(' ', '-')
    const storage = storageOf(prefix)
    await killedAt(() => observatory(databaseUrl, prefix, 'run'), at, when)
    for (const manifest of await archivesWithin(storage, TABLE, PARTITION))
      await verifyArchive({ storage }, manifest)
    const context: ArchiveContext = { pool, storage, format: 'parquet' }
    // The server notices that the session is gone, and frees its lock, a moment later.
    await eventually(async () => {
      expect((await archivePartition(context, PARTITION)).rows).toBe(stored.length)
    })
    const manifests = await archivesWithin(storage, TABLE, PARTITION)
    expect(manifests).toHaveLength(1)
    await verifyArchive({ storage }, manifests[0] as (typeof manifests)[0])
    expect((await archivePartition(context, PARTITION)).written).toBeUndefined()
  })

  test('before it is noted leaves an archive that the next run finds', async () => {
    const storage = storageOf('noted')
    const locker = await pool.connect()
    await locker.query('begin; lock table archives in access exclusive mode')
    const running = observatory(databaseUrl, 'noted', 'run')
    await eventually(async () => {
      const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ 'insert into archives'`
      expect((await pool.query(waits)).rowCount).toBe(1)
    })
    await running.kill()
    await locker.query('rollback')
    locker.release()
    await eventually(async () => {
      const { rows, written } = await archivePartition({ pool, storage, format: 'parquet' }, PARTITION)
      expect({ rows, written }).toEqual({ rows: stored.length, written: undefined })
    })
    expect(await archivesWithin(storage, TABLE, PARTITION)).toHaveLength(1)
  })
})

describe('restoring that is killed', () => {
  test('while rows are read leaves none of them, and after they are committed all: the next run makes it right', async () => {
    const prefix = 'restored'
    const storage = storageOf(prefix)
    await archivePartition({ pool, storage, format: 'parquet' }, PARTITION)
    const [manifest] = await archivesWithin(storage, TABLE, PARTITION)
    if (manifest === undefined) throw new Error('there is no archive')
    const restore = () => observatory(empty.databaseUrl, prefix, 'restore')
    for (const at of [/^GET .*resources\.parquet/, /^GET .*log_records\.parquet/]) {
      await killedAt(restore, at, 'after')
      expect(await allRows(empty.pool)).toEqual([])
    }
    const running = restore()
    await eventually(async () => {
      const { rows } = await empty.pool.query('select from archives where restored_at is not null')
      expect(rows).toHaveLength(1)
    })
    await running.kill()
    expect(await allRows(empty.pool)).toEqual(stored)
    const options = { pool: empty.pool, storage, partitionInterval: 'day' } as const
    expect(await restoreArchive(options, manifest)).toMatchObject({ restored: 0, wasRestoredBefore: true })
    expect(await allRows(empty.pool)).toEqual(stored)
    // Though nothing said so, what is there is not restored again.
    await empty.pool.query('delete from archives')
    expect(await restoreArchive(options, manifest)).toMatchObject({ restored: 0, wasRestoredBefore: false })
    await empty.pool.query(
      `delete from ${TABLE} where ctid in (select ctid from ${TABLE} limit 2); delete from archives`,
    )
    expect(await restoreArchive(options, manifest)).toMatchObject({ restored: 2 })
    expect(await allRows(empty.pool)).toEqual(stored)
  })
})
