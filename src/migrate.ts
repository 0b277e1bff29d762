import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { messageOf, ObservatoryError, sqlStateOf } from './errors.ts'
import { sleep } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import { PACKAGE_FOLDER } from './package-folder.ts'
import { openClient } from './postgres-connection.ts'

/** One file of the migrations folder. */
export interface Migration {
  readonly version: number
  /** The file's name: `0001-tables.sql`. */
  readonly name: string
  readonly sql: string
  /** SHA-256, in hex, of the text with line ends as `\n`. */
  readonly checksum: string
}

export interface MigrateOptions {
  readonly databaseUrl: string
  /** Default: the migrations that come with this program. */
  readonly directory?: string
  /** Told of each file that was applied, and of waiting for another process that migrates. */
  readonly log?: Pick<Logger, 'info'>
  readonly signal?: AbortSignal
}

export interface MigrateResult {
  /** Names of the files that this run applied, in order. */
  readonly applied: readonly string[]
  /** The version the database is at now; 0 if there is no migration at all. */
  readonly version: number
}

export interface MigrationStatus {
  /** The newest version that was applied; 0 if none was. */
  readonly version: number
  /** The newest version this program knows. */
  readonly latest: number
  /** Names of the files that are not applied yet. */
  readonly pending: readonly string[]
}

const OWN_MIGRATIONS = join(PACKAGE_FOLDER, 'migrations')

/** What runs a query: a pool or a client. */
export type Queryable = Pick<pg.ClientBase, 'query'>

/**
 * Brings the database to the newest version this program knows: each file in a transaction of its own
 * together with its row in `schema_migrations`, the whole run under one advisory lock, so that of two
 * processes one does the work and the other finds it done.
 * @throws ObservatoryError ERR_MIGRATION_FAILED; files applied before the one that failed stay applied.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { databaseUrl, directory, log, signal } = options
  const migrations = await readMigrations(directory)
  const client = await openClient({
    databaseUrl,
    applicationName: 'observatory migrate',
    lockTimeoutMs: DDL_LOCK_TIMEOUT_MS,
  })
  try {
    await lockMigrations(client, log, signal)
    await createTable(client)
    const pending = findPending(migrations, await readApplied(client))
    for (const migration of pending) {
      signal?.throwIfAborted()
      await applyMigration(client, migration)
      log?.info(`applied ${migration.name}`)
    }
    return { applied: pending.map(({ name }) => name), version: migrations.at(-1)?.version ?? 0 }
  } finally {
    // Ends the session and with it the lock.
    await client.end()
  }
}

/** How far the database is, compared with what this program knows. Changes nothing. @throws as {@link migrate} */
export async function migrationStatus(queryable: Queryable, directory?: string): Promise<MigrationStatus> {
  const migrations = await readMigrations(directory)
  const applied = await readApplied(queryable)
  return {
    version: applied.at(-1)?.version ?? 0,
    latest: migrations.at(-1)?.version ?? 0,
    pending: findPending(migrations, applied).map(({ name }) => name),
  }
}

/** Names of the files that are not applied yet. Changes nothing. @throws as {@link migrate} */
export async function pendingMigrations(
  queryable: Queryable,
  directory?: string,
): Promise<readonly string[]> {
  return (await migrationStatus(queryable, directory)).pending
}

const FILE_NAME = /^(\d{4})-[a-z0-9-]+\.sql$/

async function readMigrations(directory = OWN_MIGRATIONS): Promise<readonly Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const migrations: Migration[] = []
  for (const name of names) {
    const digits = FILE_NAME.exec(name)?.[1]
    if (digits === undefined) throw failed(`${name} is not named like 0001-title.sql: rename it`)
    const version = Number(digits)
    const previous = migrations.at(-1)
    if (previous?.version === version) {
      throw failed(`${previous.name} and ${name} have the same number: renumber the newer one`)
    }
    const sql = (await readFile(join(directory, name), 'utf8')).replaceAll('\r\n', '\n')
    migrations.push({ version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') })
  }
  return migrations
}

/** Keeps out every other process that migrates this database. The number is ours alone: "obsmigra" in ASCII. */
const LOCK_KEY = '8026104399684661857'
const LOCK_PAUSE_MS = 200

/**
 * Asks again and again instead of waiting inside the server, where the waiting session's snapshot would in
 * turn hold up whatever waits for all snapshots to end.
 */
async function lockMigrations(
  client: pg.Client,
  log: Pick<Logger, 'info'> | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted()
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      LOCK_KEY,
    ])
    if (rows[0]?.locked) return
    if (attempt === 0) log?.info('waiting for another process that is migrating this database')
    await sleep(LOCK_PAUSE_MS, signal)
  }
}

/** An ALTER TABLE that cannot get its lock holds up every query behind it, so it does not wait for ever. */
const DDL_LOCK_TIMEOUT_MS = 60_000

interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly applied_at: Date
}

async function tableExists(queryable: Queryable): Promise<boolean> {
  const { rows } = await queryable.query<{ found: boolean }>(
    "select to_regclass('schema_migrations') is not null as found",
  )
  return rows[0]?.found === true
}

/** Only when missing: `if not exists` would ask for the right to create even then. */
async function createTable(client: pg.Client): Promise<void> {
  if (await tableExists(client)) return
  await client.query(`
    create table schema_migrations (
      version int primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`)
}

async function readApplied(queryable: Queryable): Promise<readonly AppliedMigration[]> {
  if (!(await tableExists(queryable))) return []
  const { rows } = await queryable.query<AppliedMigration>(
    'select version, name, checksum, applied_at from schema_migrations order by version',
  )
  return rows
}

/** The migrations to apply, after making sure that those applied are the ones this program knows. */
function findPending(
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const latest = migrations.at(-1)?.version ?? 0
  const newest = applied.at(-1)
  if (newest !== undefined && newest.version > latest) {
    throw failed(
      `the database is at version ${newest.version} (${newest.name}), this program knows up to ${latest}: upgrade the program`,
    )
  }
  const byVersion = new Map(migrations.map((migration) => [migration.version, migration]))
  for (const { version, name, checksum, applied_at } of applied) {
    const known = byVersion.get(version)
    const when = `was applied on ${applied_at.toISOString()}`
    if (known === undefined) throw failed(`${name} ${when} and is missing: restore the file`)
    if (known.checksum !== checksum) {
      throw failed(
        `${known.name} was changed since it ${when}: restore it, and put the change into a new file`,
      )
    }
    byVersion.delete(version)
  }
  const pending = [...byVersion.values()]
  const skipped = pending.find(({ version }) => version < (newest?.version ?? 0))
  if (skipped === undefined) return pending
  throw failed(`${skipped.name} was never applied, but ${newest?.name} was: give it the next free number`)
}

async function applyMigration(client: pg.Client, migration: Migration): Promise<void> {
  const { version, name, sql, checksum } = migration
  try {
    await client.query('begin')
    await client.query(sql)
    if (client.getTransactionStatus() !== 'T') {
      throw failed(`${name} ends its own transaction: take COMMIT and ROLLBACK out, and undo what it did`)
    }
    await client.query('insert into schema_migrations (version, name, checksum) values ($1, $2, $3)', [
      version,
      name,
      checksum,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    if (error instanceof ObservatoryError) throw error
    throw failed(`${name}${placeOf(error, sql)}: ${describe(error)}. Nothing of this file was applied`, error)
  }
}

/** `:12:5`, line and column, when PostgreSQL told the position: characters from 1. */
function placeOf(error: unknown, sql: string): string {
  const position = Number((error as { position?: string }).position)
  if (!(position > 0)) return ''
  const lines = Array.from(sql)
    .slice(0, position - 1)
    .join('')
    .split('\n')
  return `:${lines.length}:${Array.from(lines.at(-1) ?? '').length + 1}`
}

function describe(error: unknown): string {
  const state = sqlStateOf(error)
  return state === undefined ? messageOf(error) : `${messageOf(error)} (SQLSTATE ${state})`
}

function failed(problem: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError('ERR_MIGRATION_FAILED', `Migration failed: ${problem}`, { cause })
}
