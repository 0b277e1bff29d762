import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Finding } from '../../src/commands/doctor/finding.ts'
import { findIdleTransactions } from '../../src/commands/doctor/postgres-findings.ts'
import type { StatusReport } from '../../src/commands/status/format-status.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { type Finished, RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const COMMANDS = [
  'quickstart',
  'serve',
  'send',
  'demo',
  'query',
  'tail',
  'migrate',
  'status',
  'doctor',
  'dead-letters',
  'audit',
  'rewind',
  'bench',
]

let cwd: string
let database: TestDatabase
let prefix: string
let redisUrl: string
let redis: Redis
let running: RunningCommand | undefined

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-cli-'))
})

afterAll(() => rm(cwd, { recursive: true, force: true }))

/** Runs a command in an empty folder, with nothing but the given environment. */
function run(args: readonly string[], env: Record<string, string> = {}, input?: string): Promise<Finished> {
  return runObservatory(args, { env, cwd, ...(input === undefined ? {} : { input }) })
}

describe('help', () => {
  test('lists every command, each in one line, and shows examples of all', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} .*\\w`, 'm'))
    expect(stdout).toContain('Examples:')
    expect(stdout).not.toContain('end-unused-servers')
  })

  test.each(COMMANDS)('of %s has a description and examples, and fits a terminal', async (command) => {
    const { code, stdout, stderr } = await run([command, '--help'])
    expect([code, stderr]).toEqual([0, ''])
    const [usage, , description] = stdout.split('\n')
    expect(usage).toContain(`observatory ${command}`)
    expect(description).toMatch(/^[A-Z].*[.,\w]$/)
    expect(stdout).toMatch(/\nExamples:\n {2}\S/)
  })
})

describe('wrong usage', () => {
  test.each([
    [['sevre'], /unknown command 'sevre'[\s\S]*Did you mean serve[\s\S]*\(observatory --help shows/],
    [['serve', '--http-prot', '1'], /unknown option '--http-prot'[\s\S]*Did you mean --http-port/],
    [['serve', '--port', '1'], /unknown option '--port'\n\(observatory serve --help shows/],
    [['serve', '--only', 'cooking'], /--only <role>.*'cooking' is invalid. Allowed choices are/],
    [['serve', 'now'], /too many arguments/],
    [['quickstart', '--rate', '0'], /Expected a number above 0/],
    [['status', '--batch-max-rows', '1'], /unknown option '--batch-max-rows'/],
    [[], /Usage: observatory/],
  ])('%j is told on standard error, with exit code 2', async (args, told) => {
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(told)
  })
})

test('--version is that of package.json', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe('output', () => {
  test('--print-config shows each setting and where it comes from, without passwords', async () => {
    const env = { DATABASE_URL: 'postgresql://me:topsecret@db/x', READ_COUNT: '7' }
    const { code, stdout, stderr } = await run(['serve', '--print-config', '--http-port', '1234'], env)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^DATABASE_URL +postgresql:\/\/me:\*\*\*@db\/x +environment$/m)
    expect(stdout).toMatch(/^HTTP_PORT +1234 +flag$/m)
    expect(stdout).toMatch(/^READ_COUNT +7 +environment$/m)
    expect(stdout).toMatch(/^LOG_LEVEL +info +default$/m)
    expect(stdout).not.toContain('topsecret')
  })

  test('a reader that goes away is no failure', async () => {
    const command = new RunningCommand(['serve', '--print-config'], { cwd })
    command.child.stdout?.destroy()
    expect(await command.finished).toMatchObject({ code: 0, stderr: '' })
  })

  test('the stack of an error is shown for LOG_LEVEL=debug only', async () => {
    const failing = ['status', '--data-dir', 'nothing-here']
    const { code, stderr } = await run(failing)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: no embedded PostgreSQL runs in \/.*nothing-here, and DATABASE_URL is not set.*\nno embedded Redis runs in .*\n$/,
    )
    expect((await run(failing, { LOG_LEVEL: 'debug' })).stderr).toMatch(/\n {4}at /)
  })
})

test('what ends servers after an exit does not make the folder of servers that never started', async () => {
  expect(await run(['end-unused-servers', 'never-made', '1999999999'])).toMatchObject({ code: 0, stderr: '' })
  expect(existsSync(join(cwd, 'never-made'))).toBe(false)
})

describe('with servers', () => {
  let env: Record<string, string>

  beforeEach(async () => {
    database = await createTestDatabase()
    ;({ prefix, redisUrl } = await createTestPrefix())
    redis = new Redis(redisUrl)
    const { databaseUrl } = database
    env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, STREAM_PREFIX: prefix, HTTP_PORT: '0' }
  })

  afterEach(async () => {
    await running?.kill()
    running = undefined
    redis.disconnect()
    await database.drop()
  })

  const query = (text: string) =>
    withPostgres(database.databaseUrl, async (client) => (await client.query(text)).rows)

  async function startService(...args: string[]): Promise<RunningCommand> {
    running = new RunningCommand(['serve', ...args], { env, cwd })
    await running.says('"msg":"started"')
    return running
  }

  describe('serve', () => {
    test('says which servers it uses, without their passwords', async () => {
      const service = await startService()
      const { hostname, port, pathname, password } = new URL(database.databaseUrl)
      expect(service.stderr).toContain(
        `PostgreSQL at ${hostname}:${port}${pathname}, DATABASE_URL from environment`,
      )
      expect(service.stderr).toContain(`Redis at ${new URL(redisUrl).host}, REDIS_URL from environment`)
      expect(service.stderr).not.toContain(password)
    })

    test('SIGTERM under load: exit code 0, and nothing is left pending for it', async () => {
      const service = await startService('--consumer-name', 'stopped-here')
      let added = 0
      let isAdding = true
      const adding = (async () => {
        while (isAdding) {
          const pipeline = redis.pipeline()
          for (let entry = 0; entry < 500; entry += 1) {
            pipeline.xadd(`${prefix}:logs`, '*', 'service', 'load', 'message', `entry ${added + entry}`)
          }
          await pipeline.exec()
          added += 500
        }
      })()
      await eventually(async () => {
        const [{ count }] = await query('select count(*)::int as count from log_records')
        expect(count).toBeGreaterThan(3000)
      })
      service.child.kill('SIGTERM')
      const { code, stdout, stderr } = await service.finished
      isAdding = false
      await adding
      expect([code, stdout]).toEqual([0, ''])
      expect(stderr).toContain('stopped by SIGTERM')
      const [{ count: written }] = await query('select count(*)::int as count from log_records')
      const [group] = (await redis.xinfo('GROUPS', `${prefix}:logs`)) as unknown[][]
      const state = Object.fromEntries(
        Array.from({ length: 6 }, (_, i) => [group![2 * i], group![2 * i + 1]]),
      )
      expect(state).toMatchObject({ name: 'observatory', pending: 0, 'entries-read': written })
      expect(written).toBeLessThan(added)
    })

    test('--only api reads no stream', async () => {
      const service = await startService('--only', 'api')
      const { url } = JSON.parse(service.stderr.split('\n').find((line) => line.includes('"started"'))!)
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect(await redis.keys(`${prefix}:*`)).toEqual([])
    })
  })

  describe('migrate', () => {
    test('--status says what is pending with exit code 1, migrate applies it, then --status is content', async () => {
      await query('drop schema public cascade; create schema public')
      const pending = await run(['migrate', '--status'], env)
      expect([pending.code, pending.stderr]).toEqual([1, ''])
      expect(pending.stdout).toMatch(/^version 0 of \d+\npending 0001-[\w-]+\.sql\n/)
      const names = pending.stdout.match(/\d{4}-[\w-]+\.sql/g) ?? []
      const newest = Number(names.at(-1)?.slice(0, 4))
      const applied = await run(['migrate'], env)
      expect(applied).toEqual({
        code: 0,
        stdout: `${names.map((name) => `applied ${name}\n`).join('')}version ${newest}\n`,
        stderr: '',
      })
      const status = await run(['migrate', '--status'], env)
      expect(status).toMatchObject({ code: 0, stdout: `version ${newest} of ${newest}\n` })
      const again = await run(['migrate'], env)
      expect(again).toMatchObject({ code: 0, stdout: `nothing to apply, version ${newest}\n` })
    })
  })

  test('send adds what it reads from standard input', async () => {
    const { code } = await run(['send', 'logs', '-'], env, '{"message":"one"}\n{"message":"two"}\n')
    expect(code).toBe(0)
    expect(await redis.xlen(`${prefix}:logs`)).toBe(1)
  })

  describe('status', () => {
    async function status(): Promise<StatusReport> {
      const { code, stdout, stderr } = await run(['status', '--json'], env)
      expect([code, stderr]).toEqual([0, ''])
      return JSON.parse(stdout)
    }

    test('counts entries, rows and dead letters, with no service running', async () => {
      const service = await startService()
      await redis.xadd(`${prefix}:logs`, '*', 'service', 'api', 'message', 'boom')
      await redis.xadd(`${prefix}:traces`, '*', 'json', '{"name":"no ids"}')
      await redis.xadd(`${prefix}:traces`, '*', 'json', 'not json')
      const ingested = 'select entry_count from ingest_ledger'
      await eventually(async () => {
        const counts = (await query(ingested)).map(({ entry_count }) => entry_count)
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3)
      })
      service.child.kill('SIGTERM')
      await service.finished
      await redis.xadd(`${prefix}:logs`, '*', 'message', 'nobody has read this')
      const { streams, tables, deadLetters, migrations, ledger } = await status()
      expect(streams.map(({ signal, length, lag, pending }) => [signal, length, lag, pending])).toEqual([
        ['traces', 2, 0, 0],
        ['metrics', 0, 0, 0],
        ['logs', 2, 1, 0],
      ])
      const logs = tables.find(({ table }) => table === 'log_records')
      expect(logs).toMatchObject({ rows: 1, isEstimate: false })
      expect(Date.now() - Date.parse(logs?.newest ?? '')).toBeLessThan(60_000)
      expect(tables.find(({ table }) => table === 'spans')).toMatchObject({ rows: 0, newest: null })
      expect(deadLetters).toEqual([
        { signal: 'traces', reason: 'missing_field', count: 1 },
        { signal: 'traces', reason: 'not_json', count: 1 },
      ])
      expect(migrations).toMatchObject({ pending: [] })
      expect(ledger?.ranges).toBe((await query(ingested)).length)
    })

    test('is a table for people, and shows a lag that Redis does not know as unknown', async () => {
      for (const message of ['one', 'two', 'three'])
        await redis.xadd(`${prefix}:logs`, '*', 'message', message)
      const [, second] = await redis.xrange(`${prefix}:logs`, '-', '+')
      await redis.xgroup('CREATE', `${prefix}:logs`, 'observatory', '0')
      await redis.xdel(`${prefix}:logs`, second![0])
      const { code, stdout } = await run(['status'], env)
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`^${prefix}:logs +2 +unknown +0 +0$`, 'm'))
      expect(stdout).toMatch(new RegExp(`^${prefix}:traces +0 +no group +- +-$`, 'm'))
      expect(stdout).toMatch(/^log_records +0 +\d\S* \w+ +\S+ +-$/m)
      expect(stdout).toContain('No dead letters in the last 24 hours')
    })

    test('large tables are estimated, not counted', async () => {
      await query(`
        create table log_records_old partition of log_records for values from ('2020-01-01') to ('2020-01-02');
        create table log_records_new partition of log_records for values from ('2020-01-02') to ('2020-01-03');
        create table log_records_empty partition of log_records for values from ('2020-01-03') to ('2020-01-04');
        insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index,
          severity_number, has_content, body_is_json, service, attributes, body)
        select case n when 1 then '2020-01-02T12:00:00Z' else '2020-01-01T12:00:00Z' end::timestamptz, 0, 0, 0, n, 0, 0, 0, false, false, 'old', '{}', repeat('x', 1500)
        from generate_series(1, 25000) n;
        analyze log_records_old, log_records_new`)
      const logs = (await status()).tables.find(({ table }) => table === 'log_records')
      expect(logs).toMatchObject({ isEstimate: true, newest: '2020-01-02T12:00:00.000Z' })
      expect(logs?.rows).toBeGreaterThan(24_000)
      expect(logs?.rows).toBeLessThan(26_000)
    })

    test('says that a database was never migrated, or by a newer program', async () => {
      await query("insert into schema_migrations values (9999, '9999-later.sql', 'x')")
      expect((await status()).migrations).toEqual({ problem: expect.stringContaining('upgrade the program') })
      await query('drop schema public cascade; create schema public')
      const { tables, migrations, ledger } = await status()
      expect([tables, ledger]).toEqual([[], null])
      expect(migrations).toMatchObject({ version: 0, pending: expect.arrayContaining([expect.any(String)]) })
      expect((await run(['status'], env)).stdout).toMatch(/migrations pending: observatory migrate/)
    })
  })

  describe('doctor', () => {
    async function examine(
      ...args: string[]
    ): Promise<{ code: number | null; of(check: string): Finding | undefined }> {
      const { code, stdout, stderr } = await run(['doctor', '--json', ...args], env)
      expect(stderr).toBe('')
      const findings: readonly Finding[] = JSON.parse(stdout)
      return { code, of: (check) => findings.find((finding) => finding.check === check) }
    }

    test('finds what is safe and what is not, and fails for what loses data', async () => {
      const { code, of } = await examine()
      // The servers of the tests write nothing to disk.
      expect(of('PostgreSQL fsync')).toMatchObject({ level: 'fail', found: 'off' })
      expect(of('PostgreSQL full_page_writes')).toMatchObject({ level: 'warn', found: 'off' })
      expect(of('Redis appendonly')).toMatchObject({ level: 'warn', found: 'no' })
      expect(code).toBe(1)
      for (const check of [
        'Node.js',
        'PostgreSQL',
        'PostgreSQL synchronous_commit',
        'PostgreSQL connections',
      ]) {
        expect(of(check), check).toMatchObject({ level: 'ok' })
      }
      for (const check of ['PostgreSQL btree_gist', 'PostgreSQL lock waits', 'Migrations', 'Redis']) {
        expect(of(check), check).toMatchObject({ level: 'ok' })
      }
      for (const check of ['Redis maxmemory-policy', 'Clock of Redis', 'Clock of PostgreSQL']) {
        expect(of(check), check).toMatchObject({ level: 'ok' })
      }
    })

    test('finds too few connections, a waiting lock, pending migrations, and what is wrong with streams', async () => {
      await query(
        'delete from schema_migrations where version = (select max(version) from schema_migrations)',
      )
      await redis.set(`${prefix}:metrics`, 'no stream')
      await redis.xgroup('CREATE', `${prefix}:logs`, 'forgotten', '0', 'MKSTREAM')
      const [holder, waiter] = [new pg.Client(database.databaseUrl), new pg.Client(database.databaseUrl)]
      await Promise.all([holder.connect(), waiter.connect()])
      try {
        await holder.query('begin; lock table spans in access exclusive mode')
        const waiting = waiter.query('begin; lock table spans in access share mode')
        const { of } = await examine('--write-concurrency', '16', '--database-pool-max', '1000')
        expect(of('PostgreSQL connections')).toMatchObject({
          level: 'fail',
          // 16 batches of each signal, eight for maintenance, one for probes.
          found: expect.stringMatching(/1057 needed/),
        })
        expect(of('PostgreSQL lock waits')).toMatchObject({
          level: 'warn',
          found: expect.stringMatching(/^1 now, .* behind process \d+$/),
        })
        expect(of('Migrations')).toMatchObject({
          level: 'warn',
          found: expect.stringMatching(/^pending: \d{4}-/),
        })
        expect(of(`Redis ${prefix}:metrics`)).toMatchObject({ level: 'fail', found: 'is no stream' })
        expect(of(`Redis ${prefix}:logs`)).toMatchObject({
          level: 'warn',
          found: expect.stringMatching(/group forgotten: 0 consumers/),
        })
        expect(of(`Redis ${prefix}:traces`)).toMatchObject({ level: 'ok' })
        await holder.query('rollback')
        await waiting
        expect(await findIdleTransactions(holder)).toMatchObject({ level: 'ok' })
        expect(await findIdleTransactions(holder, 0)).toMatchObject({ level: 'warn' })
      } finally {
        await Promise.all([holder.end(), waiter.end()])
      }
    })

    test('looks at one server when the other one is away', async () => {
      env.REDIS_URL = 'redis://127.0.0.1:1'
      const { code, of } = await examine('--startup-timeout-ms', '0')
      expect(code).toBe(1)
      expect(of('Redis')).toMatchObject({
        level: 'fail',
        found: expect.stringMatching(/Redis at 127\.0\.0\.1:1 did not answer/),
      })
      expect(of('PostgreSQL')).toMatchObject({ level: 'ok', found: expect.stringMatching(/version \d+/) })
    })
  })
})

test('whoever has read enough of the output ends the command without an error', async () => {
  const command = new RunningCommand(['serve', '--print-config'], { cwd })
  command.child.stdout?.destroy()
  expect(await command.finished).toMatchObject({ code: 0, stdout: '', stderr: '' })
})
