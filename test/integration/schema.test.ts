import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { dumpSchema } from '../helpers/dump-schema.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const COMMITTED = fileURLToPath(new URL('../schema.sql', import.meta.url))

it('the migrations give the schema that is committed (WRITE_SCHEMA=1 writes it anew)', async ({ skip }) => {
  const { databaseUrl } = await createTestDatabase()
  const { dump, version } = await withPostgres(databaseUrl, async (client) => ({
    dump: await dumpSchema(client),
    version: Number((await client.query('show server_version_num')).rows[0]?.server_version_num),
  }))
  skip(version < 160_000, 'PostgreSQL 15 prints views with qualified columns')
  if (process.env.WRITE_SCHEMA === '1') await writeFile(COMMITTED, dump)
  expect(dump).toBe(await readFile(COMMITTED, 'utf8'))
})
