import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { joinServers } from '../../src/embedded/servers.ts'
import { migrate } from '../../src/migrate.ts'
import { urlOfDatabase, withPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The database `postgres` of the suite's server, as its superuser. */
    readonly adminUrl: string
    /** A migrated database nobody connects to: the template of every test's database. */
    readonly templateDatabase: string
    readonly redisUrl: string
  }
}

const FOLDER_PREFIX = 'observatory-test-'
const TEMPLATE = 'observatory_template'

/** What the suite writes is thrown away, so nothing of it needs to reach the disk. */
const POSTGRES_SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '128MB',
  max_connections: '200',
  max_wal_size: '1GB',
}
const REDIS_SETTINGS = { appendonly: 'no', databases: '256' }

/** A PostgreSQL and a Redis for this run alone, on ports that never are those of quickstart. */
export default async function startServers(project: TestProject): Promise<() => Promise<void>> {
  await endAbandonedRuns()
  const dataDir = await mkdtemp(join(tmpdir(), FOLDER_PREFIX))
  const servers = await joinServers({
    dataDir,
    postgres: true,
    redis: true,
    postgresBin: process.env.OBSERVATORY_TEST_POSTGRES_BIN,
    postgresPort: 25432,
    redisPort: 26379,
    postgresSettings: POSTGRES_SETTINGS,
    redisSettings: REDIS_SETTINGS,
  })
  const stop = async () => {
    await servers.leave()
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    const adminUrl = urlOfDatabase(servers.databaseUrl ?? '', 'postgres')
    await makeTemplate(adminUrl)
    project.provide('adminUrl', adminUrl)
    project.provide('templateDatabase', TEMPLATE)
    project.provide('redisUrl', servers.redisUrl ?? '')
    return stop
  } catch (error) {
    await stop()
    throw error
  }
}

async function makeTemplate(adminUrl: string): Promise<void> {
  await withPostgres(adminUrl, (client) => client.query(`create database ${TEMPLATE}`))
  await migrate({ databaseUrl: urlOfDatabase(adminUrl, TEMPLATE) })
  await withPostgres(adminUrl, (client) =>
    client.query(`alter database ${TEMPLATE} with allow_connections false`),
  )
}

/** A run that was killed could not stop its servers: the next one does. A run that goes on keeps them, being their user. */
async function endAbandonedRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(FOLDER_PREFIX)) continue
    const dataDir = join(tmpdir(), name)
    const files: string[] = await readdir(dataDir).catch(() => [])
    if (!files.includes('servers.json')) continue
    const servers = await joinServers({ dataDir, postgres: false, redis: false })
    await servers.leave()
    if (!(await readdir(dataDir)).includes('servers.json'))
      await rm(dataDir, { recursive: true, force: true })
  }
}
