import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { expect, inject } from 'vitest'
import { eventually } from './eventually.ts'
import { urlOfDatabase, withPostgres } from './postgres.ts'

export interface TestDatabase {
  readonly databaseUrl: string
  readonly name: string
  /** Drops it now rather than after the file, in any case; throws if connections to it were left. */
  drop(): Promise<void>
}

const made = new Map<string, TestDatabase>()

/** A migrated database of this test file's own. Dropped after the file, which fails if connections to it are left. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const file = basename(expect.getState().testPath ?? 'test', '.test.ts').replaceAll(/\W+/g, '_')
  const name = `test_${file.slice(0, 40)}_${randomBytes(4).toString('hex')}`
  const adminUrl = inject('adminUrl')
  await withPostgres(adminUrl, (client) =>
    // Through its log, which is the default, the server would touch every page of the template once more.
    client.query(`create database ${name} template ${inject('templateDatabase')} strategy file_copy`),
  )
  const database: TestDatabase = {
    name,
    databaseUrl: urlOfDatabase(adminUrl, name),
    drop: async () => {
      made.delete(name)
      try {
        await expectNoBackends(name)
      } finally {
        await withPostgres(adminUrl, (client) => client.query(`drop database if exists ${name} with (force)`))
      }
    },
  }
  made.set(name, database)
  return database
}

/** The databases of this file that were not dropped yet. */
export function undroppedDatabases(): readonly TestDatabase[] {
  return [...made.values()]
}

/** A server notices a closed connection only a moment later. */
async function expectNoBackends(name: string): Promise<void> {
  const left = async () => expect(await backendsOf(name), 'left open by this file').toEqual([])
  await eventually(left, { timeoutMs: 3000 })
}

/** Who is still connected to the database, a line each. */
async function backendsOf(name: string): Promise<string[]> {
  const { rows } = await withPostgres(inject('adminUrl'), (client) =>
    client.query<{ backend: string }>(
      `select format('PostgreSQL backend of %s: application "%s", %s, %s',
         datname, application_name, state, left(query, 100)) as backend
       from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    ),
  )
  return rows.map((row) => row.backend)
}
