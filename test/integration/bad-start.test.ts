import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withPostgres } from '../helpers/postgres.ts'
import { type Finished, RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix, withRedis } from '../helpers/test-redis.ts'

/** Nothing listens there, and connecting to it is refused at once. */
const NOBODY = '127.0.0.1:1'

let database: TestDatabase
let cwd: string
/** Of a service that would start. */
let env: Record<string, string>
let taken: Server | undefined

beforeEach(async () => {
  database = await createTestDatabase()
  const { prefix, redisUrl } = await createTestPrefix()
  cwd = await mkdtemp(join(tmpdir(), 'observatory-bad-start-'))
  env = {
    DATABASE_URL: database.databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
    STARTUP_TIMEOUT_MS: '300',
  }
})

afterEach(async () => {
  taken?.close()
  taken = undefined
  await rm(cwd, { recursive: true, force: true })
})

/** Runs `serve`, which must end by itself, and must not have done anything to Redis or in its folder. */
async function serve(changed: Record<string, string>, args: readonly string[] = []): Promise<Finished> {
  const finished = await runObservatory(['serve', ...args], { env: { ...env, ...changed }, cwd })
  expect(finished.stdout).toBe('')
  expect(await withRedis((redis) => redis.keys(`${env.STREAM_PREFIX}:*`))).toEqual([])
  expect(existsSync(join(cwd, '.observatory'))).toBe(false)
  return finished
}

/** Puts the database back to before its first migration. */
async function emptyDatabase(): Promise<void> {
  await withPostgres(database.databaseUrl, (client) =>
    client.query('drop schema public cascade; create schema public'),
  )
}

async function tablesOf(): Promise<number> {
  const { rows } = await withPostgres(database.databaseUrl, (client) =>
    client.query('select from pg_class where relnamespace = current_schema()::regnamespace'),
  )
  return rows.length
}

/** One line, told as an error. */
function line(pattern: RegExp): RegExp {
  return new RegExp(`^error: [^\\n]*${pattern.source}[^\\n]*\\n$`)
}

describe('settings that cannot be', () => {
  test('are all told at once, a line each, with what would be right, and the exit code is 2', async () => {
    await writeFile(join(cwd, 'observatory.yaml'), 'htp_port: 4318\nbatch_max_rows: many\n')
    const { code, stderr } = await serve({ READ_COUNT: '0' })
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n')).toEqual([
      'error: 3 settings are wrong:',
      expect.stringMatching(/^ {2}htp_port \(file .*observatory\.yaml\): .*did you mean HTTP_PORT\?$/),
      expect.stringMatching(/^ {2}BATCH_MAX_ROWS \(file .*\): "many" is not a number; expected .* 1000000$/),
      expect.stringMatching(/^ {2}READ_COUNT \(environment\): "0" is too small; expected/),
    ])
  })

  test('an URL is never repeated: it holds a password', async () => {
    const { code, stderr } = await serve({
      DATABASE_URL: 'mysql://me:topsecret@db/x',
      REDIS_URL: 'redis://me:topsecret@cache/zero',
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/DATABASE_URL \(environment\): does not start with postgresql:\/\//)
    expect(stderr).toMatch(/REDIS_URL \(environment\): has a path that is not a database number/)
    expect(stderr).not.toContain('topsecret')
  })
})

describe('an HTTP port that another program has', () => {
  beforeEach(async () => {
    taken = createServer()
    await new Promise<void>((resolve) => taken?.listen(0, '127.0.0.1', resolve))
  })

  const port = () => String((taken!.address() as { port: number }).port)

  test('is told in one line, and nothing was migrated', async () => {
    await emptyDatabase()
    const { code, stderr } = await serve({ HTTP_PORT: port() })
    expect(code).toBe(1)
    expect(stderr).toMatch(line(/127\.0\.0\.1:\d+ is in use by another program: stop it, or set HTTP_PORT/))
    expect(await tablesOf()).toBe(0)
  })

  test('is found out before any server is started', async () => {
    const { code, stderr } = await serve({ HTTP_PORT: port(), DATABASE_URL: '', REDIS_URL: '' })
    expect(code).toBe(1)
    expect(stderr).toMatch(line(/is in use by another program/))
  })
})

describe('a server that cannot be used', () => {
  test('PostgreSQL away for the whole of STARTUP_TIMEOUT_MS', async () => {
    const { code, stderr } = await serve({ DATABASE_URL: `postgresql://me:topsecret@${NOBODY}/telemetry` })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      line(
        /PostgreSQL at 127\.0\.0\.1:1\/telemetry did not answer within 300 ms: .*ECONNREFUSED.*DATABASE_URL/,
      ),
    )
    expect(stderr).not.toContain('topsecret')
  })

  test('Redis away for the whole of STARTUP_TIMEOUT_MS: nothing was migrated either', async () => {
    await emptyDatabase()
    const { code, stderr } = await serve({ REDIS_URL: `redis://:topsecret@${NOBODY}` })
    expect(code).toBe(1)
    expect(stderr).toMatch(line(/Redis at 127\.0\.0\.1:1 did not answer within 300 ms: .*REDIS_URL/))
    expect(stderr).not.toContain('topsecret')
    expect(await tablesOf()).toBe(0)
  })

  test('Redis away: having told so, the process ends', async () => {
    const command = new RunningCommand(['serve'], {
      env: { ...env, REDIS_URL: `redis://${NOBODY}` },
      cwd,
    })
    await command.says('did not answer within 300 ms')
    const toldMs = performance.now()
    await command.finished
    expect(performance.now() - toldMs).toBeLessThan(1000)
  })

  test('something else than Redis at its address is a wrong setting, and not waited for', async () => {
    taken = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => taken?.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const { code, stderr } = await serve({
      REDIS_URL: `redis://127.0.0.1:${port}`,
      STARTUP_TIMEOUT_MS: '60000',
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(line(/refused the connection: Unknown RESP type .*correct REDIS_URL/))
  })

  test('a PostgreSQL without the TLS that is asked for is a wrong setting, and not waited for', async () => {
    const { code, stderr } = await serve({
      DATABASE_URL: `${database.databaseUrl}?sslmode=require`,
      STARTUP_TIMEOUT_MS: '60000',
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      line(/refused the connection: The server does not support SSL connections; correct DATABASE_URL/),
    )
  })

  test('a data folder that is a file', async () => {
    const dataDir = join(cwd, 'file')
    await writeFile(dataDir, '')
    const { code, stderr } = await serve({ DATABASE_URL: '', REDIS_URL: '', DATA_DIR: dataDir })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      line(/\/file cannot be the folder of embedded servers: EEXIST.*\. Name another one by DATA_DIR/),
    )
  })

  test('a password that PostgreSQL refuses is a wrong setting, and not waited for', async () => {
    const url = new URL(database.databaseUrl)
    url.password = 'not-this-one'
    const { code, stderr } = await serve({ DATABASE_URL: url.href, STARTUP_TIMEOUT_MS: '60000' })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      line(/refused the connection: password authentication failed .*correct DATABASE_URL/),
    )
    expect(stderr).not.toContain('not-this-one')
  })

  test('a PostgreSQL that says it is version 14', async () => {
    // The server is a newer one; the function that it answers with is not.
    await withPostgres(database.databaseUrl, async (client) => {
      await client.query(`
        create schema old;
        create function old.current_setting(text) returns text language sql as
          $$ select case $1 when 'server_version_num' then '140012' else '14.12' end $$;
        alter database ${database.name} set search_path = old, pg_catalog, public`)
    })
    const { code, stderr } = await serve({ STARTUP_TIMEOUT_MS: '60000' })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      line(/is version 14\.12; PostgreSQL 15 or newer is needed: upgrade it, or use another/),
    )
  })

  test('a database that a newer version of this program migrated', async () => {
    await withPostgres(database.databaseUrl, (client) =>
      client.query("insert into schema_migrations values (9999, '9999-later.sql', 'x')"),
    )
    const { code, stderr } = await serve({ STARTUP_TIMEOUT_MS: '60000' })
    expect(code).toBe(1)
    expect(stderr).toMatch(line(/the database is at version 9999 \(9999-later\.sql\).*upgrade the program/))
  })
})
