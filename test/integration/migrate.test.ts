import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrate, migrationStatus, pendingMigrations } from '../../src/migrate.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

let database: TestDatabase
let databaseUrl: string
let directory: string

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'migrate-'))
  database = await createTestDatabase()
  databaseUrl = database.databaseUrl
  await query('drop schema public cascade; create schema public')
})
afterEach(async () => {
  rmSync(directory, { recursive: true })
  await database.drop()
})

function write(name: string, sql: string): void {
  writeFileSync(join(directory, name), sql)
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  return withPostgres(databaseUrl, async (client) => (await client.query(sql)).rows)
}

async function tables(): Promise<unknown[]> {
  const rows = await query(`select relname from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname`)
  return rows.map((row) => row.relname)
}

const run = () => migrate({ databaseUrl, directory })
const failure = (message: string | RegExp) =>
  expect.objectContaining({
    code: 'ERR_MIGRATION_FAILED',
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  })

describe('an empty database', () => {
  test('gets every file in order, once', async () => {
    write('0002-b.sql', 'create table b (a int references a)')
    write('0001-a.sql', 'create table a (id int primary key)')
    write('README.md', 'not a migration')
    expect(await run()).toEqual({ applied: ['0001-a.sql', '0002-b.sql'], version: 2 })
    expect(await tables()).toEqual(['a', 'b', 'schema_migrations'])
    expect(await run()).toEqual({ applied: [], version: 2 })
    write('0003-c.sql', 'create table c ()')
    expect(await run()).toEqual({ applied: ['0003-c.sql'], version: 3 })
  })

  test('stays empty when there is nothing to apply', async () => {
    expect(await run()).toEqual({ applied: [], version: 0 })
  })

  test('is told apart from a migrated one without changing it', async () => {
    write('0001-a.sql', 'create table a ()')
    await withPostgres(databaseUrl, async (client) => {
      expect(await migrationStatus(client, directory)).toEqual({
        version: 0,
        latest: 1,
        pending: ['0001-a.sql'],
      })
      expect(await tables()).toEqual([])
      await run()
      write('0002-b.sql', 'create table b ()')
      expect(await migrationStatus(client, directory)).toEqual({
        version: 1,
        latest: 2,
        pending: ['0002-b.sql'],
      })
      expect(await pendingMigrations(client, directory)).toEqual(['0002-b.sql'])
    })
  })

  test('gets the migrations of this program by default', async () => {
    const { applied, version } = await migrate({ databaseUrl })
    expect(applied[0]).toMatch(/^0001-/)
    expect(Number(applied.at(-1)?.slice(0, 4))).toBe(version)
    expect(await withPostgres(databaseUrl, (client) => pendingMigrations(client))).toEqual([])
  })
})

describe('several processes that migrate at once', () => {
  test('all end well, and each file is applied once', async () => {
    write('0001-a.sql', 'create table a (); select pg_sleep(0.3)')
    write('0002-b.sql', 'create table b ()')
    const results = await Promise.all([run(), run(), run(), run()])
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual(['0001-a.sql', '0002-b.sql'])
    expect(results.map(({ version }) => version)).toEqual([2, 2, 2, 2])
  })

  test('say that they wait, and stop waiting when aborted', async () => {
    write('0001-a.sql', 'create table a (); select pg_advisory_xact_lock(7)')
    const holder = await openClient({ databaseUrl, applicationName: 'migrate test' })
    await holder.query('select pg_advisory_lock(7)')
    const first = run()
    await eventually(async () => expect(await tables()).toContain('schema_migrations'))
    const lines: string[] = []
    const stopping = new AbortController()
    const log = { info: (line: unknown) => void lines.push(String(line)) }
    const second = migrate({ databaseUrl, directory, log, signal: stopping.signal })
    await eventually(() =>
      expect(lines).toEqual(['waiting for another process that is migrating this database']),
    )
    stopping.abort(new Error('stop'))
    await expect(second).rejects.toThrow('stop')
    await holder.end()
    expect(await first).toEqual({ applied: ['0001-a.sql'], version: 1 })
  })
})

describe('a database that does not match the files', () => {
  beforeEach(async () => {
    write('0001-a.sql', 'create table a ();\n-- end\n')
    write('0002-b.sql', 'create table b ()')
    await run()
  })

  test('that a newer program migrated is left alone', async () => {
    rmSync(join(directory, '0002-b.sql'))
    const message =
      'the database is at version 2 (0002-b.sql), this program knows up to 1: upgrade the program'
    await expect(run()).rejects.toThrow(failure(message))
    const status = withPostgres(databaseUrl, (client) => migrationStatus(client, directory))
    await expect(status).rejects.toThrow(failure(message))
  })

  test('because an applied file was changed is an error that names the file, and nothing is done', async () => {
    write('0001-a.sql', 'create table other ()')
    write('0003-c.sql', 'create table c ()')
    await expect(run()).rejects.toThrow(failure(/0001-a\.sql was changed since it was applied on \d{4}-/))
    expect(await tables()).toEqual(['a', 'b', 'schema_migrations'])
  })

  test('only by its line ends is the same', async () => {
    write('0001-a.sql', 'create table a ();\r\n-- end\r\n')
    expect(await run()).toEqual({ applied: [], version: 2 })
  })

  test('because an applied file is missing is an error', async () => {
    rmSync(join(directory, '0001-a.sql'))
    await expect(run()).rejects.toThrow(failure(/0001-a\.sql was applied on .* and is missing/))
  })

  test('because a file came in before an applied one is an error', async () => {
    await query('delete from schema_migrations where version = 1')
    await expect(run()).rejects.toThrow(failure('0001-a.sql was never applied, but 0002-b.sql was'))
  })

  test.each([
    ['2-b.sql', 'not named like 0001-title.sql'],
    ['0002-other.sql', '0002-b.sql and 0002-other.sql have the same number'],
  ])('%s is refused before anything is done', async (name, message) => {
    write(name, 'create table c ()')
    await expect(run()).rejects.toThrow(failure(message))
  })
})

describe('a file that fails', () => {
  beforeEach(() => write('0001-a.sql', 'create table a ()'))

  test('is rolled back and named with line, column and SQLSTATE; the files before it stay', async () => {
    write('0002-b.sql', "create table b (); -- 🙂\ninsert into b\n  select 'ä', missing;\n")
    await expect(run()).rejects.toThrow(
      failure(
        /0002-b\.sql:3:15: column "missing" does not exist \(SQLSTATE 42703\)\. Nothing of this file was applied$/,
      ),
    )
    expect(await tables()).toEqual(['a', 'schema_migrations'])
    write('0002-b.sql', 'create table b ()')
    expect(await run()).toEqual({ applied: ['0002-b.sql'], version: 2 })
  })

  test('at its commit is rolled back, too', async () => {
    write(
      '0002-b.sql',
      `create table b (id int unique deferrable initially deferred); insert into b values (1), (1)`,
    )
    await expect(run()).rejects.toThrow(failure(/0002-b\.sql: duplicate key .*\(SQLSTATE 23505\)/))
    expect(await tables()).toEqual(['a', 'schema_migrations'])
  })

  test('because it ends its own transaction is refused', async () => {
    write('0002-b.sql', 'create table b (); commit')
    await expect(run()).rejects.toThrow(failure('0002-b.sql ends its own transaction'))
    expect(await query('select version from schema_migrations')).toEqual([{ version: 1 }])
  })

  test('because the server ended the connection can be applied again', async () => {
    write('0002-b.sql', 'create table b (); select pg_sleep(60)')
    const migration = expect(run()).rejects.toThrow(failure(/0002-b\.sql: .*\(SQLSTATE 57P01\)/))
    await eventually(async () => expect(await tables()).toContain('a'))
    await eventually(async () => {
      const ended = await query(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'observatory migrate' and datname = current_database() and query ~ 'pg_sleep'`)
      expect(ended).toHaveLength(1)
    })
    await migration
    expect(await tables()).toEqual(['a', 'schema_migrations'])
    write('0002-b.sql', 'create table b ()')
    expect(await run()).toEqual({ applied: ['0002-b.sql'], version: 2 })
  })
})

test('a role that may only read can see that nothing is pending', async () => {
  write('0001-a.sql', 'create table a ()')
  await run()
  const role = `reader_${database.name}`.slice(0, 63)
  await query(
    `create role ${role}; grant select on schema_migrations to ${role}; grant usage on schema public to ${role}`,
  )
  try {
    await withPostgres(databaseUrl, async (client) => {
      await client.query(`set role ${role}`)
      expect(await pendingMigrations(client, directory)).toEqual([])
    })
    const asReader = `${databaseUrl}?options=${encodeURIComponent(`-c role=${role}`)}`
    expect(await migrate({ databaseUrl: asReader, directory })).toEqual({ applied: [], version: 1 })
  } finally {
    await query(`drop owned by ${role}; drop role ${role}`)
  }
})
