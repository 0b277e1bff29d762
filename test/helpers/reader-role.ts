import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { withPostgres } from './postgres.ts'

const SCRIPT = new URL('../../grafana/read-only-role.sql', import.meta.url)

export interface ReaderRole {
  readonly name: string
  /** Of the same database, as that role. */
  readonly databaseUrl: string
  /** Runs the script once more. */
  grant(): Promise<void>
  /** Before the database is dropped: its rights in there would hold it. */
  drop(): Promise<void>
}

/** What an operator does by grafana/read-only-role.sql. Roles are of the whole cluster: each file has one by a name of its own. */
export async function createReaderRole(databaseUrl: string): Promise<ReaderRole> {
  const name = `reader_${randomBytes(4).toString('hex')}`
  const script = (await readFile(SCRIPT, 'utf8')).replaceAll('observatory_reader', name)
  const run = (sql: string) =>
    withPostgres(databaseUrl, async (client) => {
      await client.query(sql)
    })
  await run(script)
  await run(`alter role ${name} password 'seen'`)
  const url = new URL(databaseUrl)
  url.username = name
  url.password = 'seen'
  return {
    name,
    databaseUrl: url.href,
    grant: () => run(script),
    drop: () => run(`drop owned by ${name}; drop role ${name}`),
  }
}
