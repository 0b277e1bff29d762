import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { NO_REMOVAL_HOOKS } from '../../src/retention/removal-hooks.ts'
import { RetentionKeeper, type RetentionKeeperOptions } from '../../src/retention/retention-keeper.ts'
import { withRetentionSession } from '../../src/retention/retention-session.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, addSpans, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { retentionPolicy, runOnce } from '../helpers/retention-run.ts'
import { type Finished, RunningCommand } from '../helpers/run-observatory.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { startTestService } from '../helpers/test-service.ts'

const DAY = 86_400_000
const TIME = Date.now() - 9 * DAY
const LOGS = dayOf('log_records', TIME)

let databaseUrl: string
let pool: pg.Pool
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  pool = createPool({ databaseUrl, applicationName: 'retention test', max: 2, onError: () => undefined })
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await pool.query('truncate removals')
  for (const name of await tables()) await pool.query(`drop table ${name}`)
})
afterAll(() => pool?.end())

async function tables(): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relname ~ '_p2' order by 1`,
  )
  return rows.map(({ name }) => name)
}

function start(...args: string[]): RunningCommand {
  const command = new RunningCommand(['retention', ...args], { env: { DATABASE_URL: databaseUrl } })
  ends.push(() => command.kill())
  return command
}

const retention = (...args: string[]): Promise<Finished> => start(...args).finished

describe('observatory retention', () => {
  test('run --dry-run says what would go and how much space comes back, and run does just that', async () => {
    await makeDay(pool, TIME)
    await makeDay(pool, TIME + DAY)
    await addLogs(pool, { time: TIME, rows: 1200, hasContent: true })
    await addLogs(pool, { time: TIME + DAY, rows: 300, code: 5 })
    await addLogs(pool, { time: TIME + DAY, rows: 700, code: 17 })
    await addSpans(pool, { time: TIME, rows: 10 })
    await pool.query('analyze log_records, log_contents')
    const settings = [
      '--retention-logs-days',
      '7',
      '--retention-rules',
      'logs level>=error 8, traces status=error 90',
    ]
    const before = await tables()
    const dry = await retention('run', '--dry-run', ...settings)
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'PARTITION WHAT ROWS SIZE',
      expect.stringMatching(`^${LOGS} all of it ~1,200 \\d+ KiB$`),
      expect.stringMatching(`^${dayOf('log_contents', TIME)} all of it ~1,200 \\d+ KiB$`),
      expect.stringMatching(
        `^${dayOf('log_records', TIME + DAY)} keep level>=error; remove the rest 300 \\d+(\\.\\d)? KiB$`,
      ),
      expect.stringMatching(
        /^would remove 2 partitions, 2,700 rows: \d+ KiB of disk, and \d+(\.\d)? KiB more when their partitions go$/,
      ),
      '',
    ])
    expect(await tables()).toEqual(before)
    const { stdout } = await retention('run', '--dry-run', '--json', ...settings)
    const run = await retention('run', '--json', ...settings)
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const [wouldGo, went] = [JSON.parse(stdout), JSON.parse(run.stdout)]
    expect(went).toMatchObject({
      partitions: 2,
      rows: 2700,
      bytes: wouldGo.bytes,
      bytesLater: wouldGo.bytesLater,
      left: [],
    })
    expect(went.removals).toMatchObject(
      wouldGo.removals.map(({ isEstimate: _, ...removal }: { isEstimate: boolean }) => removal),
    )
    expect(before.filter((name) => name.startsWith('log_'))).toHaveLength(4)
    expect((await tables()).filter((name) => name.startsWith('log_'))).toHaveLength(2)
    expect(await retention('run', ...settings)).toEqual({
      code: 0,
      stdout: '',
      stderr: 'nothing is past its retention\n',
    })

    const list = await retention('list', '--limit', '2')
    expect(list.stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'BEGUN STATE PARTITION ROWS SIZE WHAT',
      expect.stringMatching(/^\S+Z removed log_records_p\d+ 300 \S+ KiB keep level>=error; remove the rest$/),
      expect.stringMatching(/^\S+Z removed log_contents_p\d+ 1,200 \d+ KiB all of it$/),
      '',
    ])
    const lines = (await retention('list', '--json')).stdout.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        removalId: 3,
        kind: 'rows',
        rows: 300,
        startedAt: expect.any(String),
        finishedAt: expect.any(String),
      },
      { removalId: 2 },
      { removalId: 1, table: 'log_records', partition: `public.${LOGS}`, state: 'removed', rows: 1200 },
    ])
  })

  test('run says when nothing is set, when a rule is wrong, and when it runs already', async () => {
    expect(await retention('run')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/kept for ever: set RETENTION_/),
    })
    const wrong = await retention(
      'run',
      '--retention-rules',
      'logs 3\nlog level<=debug 3',
      '--retention-logs-days',
      '-1',
    )
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/3 settings are wrong:/)
    expect(wrong.stderr).toMatch(/RETENTION_RULES \(flag\): rule 1 \(logs 3\) has no condition/)
    expect(wrong.stderr).toMatch(/RETENTION_RULES \(flag\): rule 2 \(log level<=debug 3\) must begin with/)
    const busy = await withRetentionSession(pool, new AbortController().signal, () =>
      retention('run', '--retention-logs-days', '7'),
    )
    expect(busy?.result).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/running on this database already/),
    })
  })

  test('run that is killed while a reader is in the way has lost nothing, and the next one finishes', async () => {
    await makeDay(pool, TIME)
    await addLogs(pool, { time: TIME, rows: 5 })
    const reader = await openClient({ databaseUrl, applicationName: 'long read' })
    ends.push(() => reader.end())
    await reader.query('begin; select count(*) from log_records')
    const killed = start('run', '--retention-logs-days', '7')
    await eventually(async () =>
      expect((await pool.query('select from pg_inherits where inhdetachpending')).rows).toHaveLength(1),
    )
    await killed.kill()
    expect((await pool.query(`select from ${LOGS}`)).rows).toHaveLength(5)
    await reader.query('commit')
    // The session of the one that is gone ends when its DETACH has.
    await eventually(
      async () => expect(await retention('run', '--retention-logs-days', '7')).toMatchObject({ code: 0 }),
      {
        timeoutMs: 30_000,
      },
    )
    expect((await tables()).filter((name) => name.startsWith('log_'))).toEqual([])
    const { rows } = await pool.query('select state, rows::int from removals where table_name = $1', [
      'log_records',
    ])
    expect(rows).toEqual([{ state: 'removed', rows: 5 }])
  })

  test('run ends with 1 when something is left, and says what', async () => {
    await makeDay(pool, TIME)
    const old = await openClient({ databaseUrl, applicationName: 'old' })
    ends.push(() => old.end())
    // As a vacuum has it.
    await old.query(`begin; lock table ${LOGS} in share update exclusive mode`)
    const { code, stdout, stderr } = await retention('run', '--json', '--retention-logs-days', '7')
    expect(code).toBe(1)
    expect(stderr).toMatch(`${LOGS} is left: public.${LOGS} is vacuumed`)
    expect(JSON.parse(stdout)).toMatchObject({ partitions: 0, left: [{ partition: `public.${LOGS}` }] })
  })
})

describe('a service', () => {
  function startKeeper(options: Partial<RetentionKeeperOptions>) {
    const metrics = createMetrics()
    const log: Record<string, unknown>[] = []
    const own = createPool({
      databaseUrl,
      applicationName: 'observatory:maintenance',
      max: 1,
      onError: () => undefined,
    })
    const keeper = new RetentionKeeper({
      pool: own,
      policy: retentionPolicy({ logs: 7 }),
      hooks: NO_REMOVAL_HOOKS,
      metrics,
      logger: createLogger({ level: 'debug', pretty: false, write: (line) => log.push(JSON.parse(line)) }),
      firstMs: 10,
      intervalMs: 50,
      retryMs: 50,
      ...options,
    })
    ends.push(async () => {
      await keeper.stop()
      await own.end()
    })
    return { keeper, log, metrics, text: () => metrics.registry.metrics() }
  }

  test('removes by itself, again and again, and counts and logs it', async () => {
    await makeDay(pool, TIME)
    await addLogs(pool, { time: TIME, rows: 5 })
    const { log, text } = startKeeper({})
    await eventually(async () =>
      expect((await tables()).filter((name) => name.startsWith('log_'))).toEqual([]),
    )
    // While another one has its lock, the keeper leaves the day be until it is whole.
    const { signal } = new AbortController()
    await eventually(async () => {
      const made = await withRetentionSession(pool, signal, async () => {
        await makeDay(pool, TIME)
        await addLogs(pool, { time: TIME, rows: 3 })
      })
      expect(made).toBeDefined()
    })
    await eventually(async () =>
      expect((await tables()).filter((name) => name.startsWith('log_'))).toEqual([]),
    )
    await eventually(async () => {
      expect(await text()).toMatch(/retention_removed_partitions_total\{table="log_records"\} 2\n/)
      expect(await text()).toMatch(/retention_removed_rows_total\{table="log_records"\} 8\n/)
      expect(await text()).toMatch(/retention_removed_bytes_total\{table="log_records"\} [1-9]/)
      expect(await text()).toMatch(/retention_runs_total\{outcome="finished"\} [2-9]/)
      expect(await text()).toMatch(/retention_runs_total\{outcome="failed"\} 0/)
      expect(await text()).toMatch(/retention_last_finished_timestamp_seconds 1\d+/)
    })
    expect(log.filter(({ partition }) => partition === `public.${LOGS}`)).toMatchObject([
      { level: 'info', msg: 'dropped a partition that is past its retention', rows: 5 },
      { level: 'info', rows: 3 },
    ])
  })

  test('tells what fails, and tries it again sooner', async () => {
    await makeDay(pool, TIME)
    let fails = true
    const beforeRemoval = async () => {
      if (fails) throw new Error('The archive is full')
    }
    const { log, text } = startKeeper({
      hooks: { ...NO_REMOVAL_HOOKS, beforeRemoval },
      intervalMs: 3_600_000,
    })
    await eventually(async () =>
      expect(await text()).toMatch(/retention_runs_total\{outcome="incomplete"\} 2/),
    )
    expect(log[0]).toMatchObject({
      level: 'warn',
      msg: 'a removal by retention failed; trying again',
      partition: `public.${LOGS}`,
    })
    fails = false
    await eventually(async () => expect(await text()).toMatch(/retention_runs_total\{outcome="finished"\} 1/))
  })

  test('where nothing is set any more finishes what was begun, and removes nothing else', async () => {
    await makeDay(pool, TIME)
    await makeDay(pool, TIME + DAY)
    const removeRows = async () => Promise.reject(new Error('not now'))
    await runOnce(pool, retentionPolicy({ logs: 7 }), {
      nowMs: Math.floor(TIME / DAY) * DAY + 8 * DAY,
      hooks: { ...NO_REMOVAL_HOOKS, removeRows },
    })
    startKeeper({ policy: retentionPolicy({}) })
    await eventually(async () => expect(await tables()).not.toContain(LOGS))
    expect((await tables()).filter((name) => name.startsWith('log_records'))).toEqual([
      dayOf('log_records', TIME + DAY),
    ])
  })

  test.each([
    ['runs it where something is set', { RETENTION_RULES: 'logs level<=debug 3' }, true],
    ['does not where nothing is', {}, false],
  ])('%s', async (_, env, runs) => {
    const service = await startTestService({ DATABASE_URL: databaseUrl, ...env }, { roles: ['ingest'] })
    ends.push(() => service.close())
    const text = await (await service.get('/metrics')).text()
    expect(text.includes('observatory_retention_runs_total{outcome="finished"} 0')).toBe(runs)
  })

  test('stops within a second while it waits for a reader', async () => {
    await makeDay(pool, TIME)
    const reader = await openClient({ databaseUrl, applicationName: 'long read' })
    ends.push(() => reader.end())
    await reader.query('begin; select count(*) from log_records')
    const { keeper, log } = startKeeper({})
    await eventually(async () =>
      expect((await pool.query('select from pg_inherits where inhdetachpending')).rows).toHaveLength(1),
    )
    const startedAt = performance.now()
    await keeper.stop()
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(log).toEqual([])
    await reader.query('commit')
  })
})
