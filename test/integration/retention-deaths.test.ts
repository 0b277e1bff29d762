import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import {
  LOG_LEVELS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import { createArchiveBeforeRemoval } from '../../src/retention/archive/archive-before-removal.ts'
import { listArchiveIds, readManifest } from '../../src/retention/archive/archive-manifest.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { createRemovalHooks } from '../../src/retention/create-removal-hooks.ts'
import type { RetentionPolicy } from '../../src/retention/retention-policy.ts'
import type { RunRetentionOptions } from '../../src/retention/run-retention.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, addSpans, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { CREATE_SUMS, retentionPolicy as policy, runOnce, SUMMING_HOOKS } from '../helpers/retention-run.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 23, 12)
/** Of the statements between which a process may die every so many-th is one of a run, others in another run of the tests. */
const STRIDE = 20

let database: TestDatabase
let pool: pg.Pool
/** What has to end after a test however it ended, the last opened first. */
let ends: (() => Promise<unknown>)[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'retention test',
    max: 4,
    onError: () => undefined,
  })
  ends = [() => pool.end()]
})
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  await database.drop()
})

const run = (kept: RetentionPolicy, options: Partial<RunRetentionOptions> = {}, of = pool) =>
  runOnce(of, kept, { nowMs: NOW, ...options })

async function rows<R extends object>(text: string, values: unknown[] = []): Promise<R[]> {
  return (await pool.query(text, values)).rows as R[]
}

/** The tables that are there, partitions and what was detached, without those of now. */
async function tables(pattern = '_p2'): Promise<string[]> {
  const found = await rows<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relname ~ $1 order by 1`,
    [pattern],
  )
  return found.map(({ name }) => name)
}

const countOf = async (table: string) =>
  (await rows<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n

describe('a process that dies', () => {
  const time = NOW - 9 * DAY
  const later = NOW - 8 * DAY

  /**
   * A pool whose session is lost before its statement of that number, with all it had begun. Only those count that change something: to die
   * before one that reads is to die before the next that writes.
   */
  function dyingPool(of: pg.Pool, at: number) {
    let asked = 0
    const pids: unknown[] = []
    const connect = async () => {
      const client = (await of.connect()) as pg.PoolClient & { readonly processID: number }
      pids.push(client.processID)
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
      // What COPY is given is a stream, and is given back as one.
      const counting = (...args: unknown[]) => {
        if (typeof args[0] !== 'string') return query(...args)
        if (!/^\s*(select|with|begin|set|lock)\b/.test(args[0])) asked += 1
        if (asked < at) return query(...args)
        client.connection.stream.destroy()
        return Promise.reject(Object.assign(new Error('The connection was lost'), { code: 'ECONNRESET' }))
      }
      const { release } = client
      return Object.assign(client, {
        query: counting,
        release: () => {
          Reflect.deleteProperty(client, 'query')
          release.call(client, true)
        },
      })
    }
    return {
      pool: { connect, query: of.query.bind(of) } as unknown as pg.Pool,
      asked: () => asked,
      /** The server has seen that the connections are lost, and given back what they held. */
      gone: () =>
        eventually(async () =>
          expect(await rows('select from pg_stat_activity where pid = any($1)', [pids])).toEqual([]),
        ),
    }
  }

  const kept = policy({ logs: 7 }, 'logs level>=error 8')

  /** Of one day all goes, of the next what is no error. */
  async function prepare(laterMs = 0): Promise<void> {
    for (const day of [time + laterMs, later + laterMs]) {
      await makeDay(pool, day, ['log_records', 'log_contents'])
      await addLogs(pool, { time: day, rows: 3, code: 9, hasContent: true })
      await addLogs(pool, { time: day, rows: 2, code: 17, hasContent: true })
    }
  }

  const nowMs = Math.floor(time / DAY) * DAY + 9 * DAY

  test('between any two of its statements is followed by one that finishes: nothing twice, nothing left', async () => {
    await pool.query(CREATE_SUMS)
    let deaths = 0
    for (let at = 1; ; at += 1) {
      await pool.query('delete from removals; delete from sums')
      await prepare()
      const dying = dyingPool(pool, at)
      const first = await run(kept, { hooks: SUMMING_HOOKS, nowMs }, dying.pool).catch(() => undefined)
      if (first !== undefined) {
        expect(dying.asked()).toBeLessThan(at)
        break
      }
      deaths += 1
      await dying.gone()
      expect(await run(kept, { hooks: SUMMING_HOOKS, nowMs }), `death at ${at}`).toMatchObject({
        outcome: 'finished',
      })
      expect(
        await rows('select severity_number, count(*)::int as n from log_records group by 1'),
        `death at ${at}`,
      ).toEqual([{ severity_number: 17, n: 2 }])
      expect(await countOf('log_contents'), `death at ${at}`).toBe(2)
      expect(await tables('^log_.*_p'), `death at ${at}`).toEqual([
        dayOf('log_contents', later),
        dayOf('log_records', later),
      ])
      expect(
        await rows(`select table_name, sum(rows)::int as n from sums group by 1 order by 1`),
        `death at ${at}`,
      ).toEqual([
        { table_name: 'log_contents', n: 5 },
        { table_name: 'log_records', n: 8 },
      ])
      expect(
        await rows(
          `select table_name, sum(rows)::int as n, count(*) filter (where finished_at is null)::int as open from removals group by 1 order by 1`,
        ),
        `death at ${at}`,
      ).toEqual([
        { table_name: 'log_contents', n: 5, open: 0 },
        { table_name: 'log_records', n: 8, open: 0 },
      ])
      await pool.query('truncate log_records, log_contents')
    }
    expect(deaths).toBeGreaterThan(20)
  })

  /** What usage and levels of all time are, and how many rows are in archives. */
  async function told(storage: FolderStorage): Promise<unknown> {
    const statistics = new StatisticsRepository(pool)
    const answers = []
    for (const [source, by] of [
      [SPAN_STATISTICS, ['service', 'name', 'status']],
      [LOG_LEVELS, ['service', 'level']],
    ] as const) {
      const asked = { by, step: undefined, signal: new AbortController().signal }
      answers.push(await (await statistics.streamGroups(source, { limit: null }, asked)).toArray())
    }
    let archived = 0
    for (const id of await listArchiveIds(storage)) archived += (await readManifest(storage, id)).rows[0].rows
    return { answers, archived }
  }

  const rollUp = () => rollUpAll(pool, Math.floor(NOW / 60_000))

  test(`anywhere while rows are archived, kept in rollups and dropped, is followed by one that finishes: every number stays`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'retention-deaths-'))
    ends.push(() => rm(folder, { recursive: true, force: true }))
    const storage = new FolderStorage(folder)
    const { settings } = loadSettings({ env: { ARCHIVE_URL: folder } })
    const everything = policy({ traces: 7, logs: 7 }, 'logs level>=error 8')
    const settled = { nowMs, hooks: createRemovalHooks(pool, createArchiveBeforeRemoval(pool, settings)) }
    const ROWS = { spans: 4, span_contents: 4, evaluations: 4, log_records: 10, log_contents: 10 }
    await pool.query(`insert into resources (resource_id, service, attributes) values (1, 'api', '{}')`)
    let archived = 0
    let deaths = 0
    for (let at = 1 + Math.floor(Math.random() * STRIDE); ; at += STRIDE) {
      await pool.query(`truncate log_records, log_contents; delete from removals where kind = 'rows'`)
      // Rows as there were before are in an archive already.
      await prepare(at)
      await makeDay(pool, time, ['spans', 'span_contents', 'evaluations'])
      await addSpans(pool, { time: time + at, rows: 4, hasContent: true })
      await pool.query(
        `insert into changed_minutes (signal, minutes, pending) select signal, minutes, minutes
           from unnest(array['traces', 'logs']) as signal, (select int4multirange(int4range($1, $2)) as minutes) as days`,
        [Math.floor((time - DAY) / 60_000), Math.floor((later + DAY) / 60_000)],
      )
      const isRolledUp = deaths % 2 === 0
      if (isRolledUp) await rollUp()
      const { answers } = (await told(storage)) as { answers: unknown }
      const dying = dyingPool(pool, at)
      const hooks = createRemovalHooks(dying.pool, createArchiveBeforeRemoval(dying.pool, settings))
      const first = await run(everything, { hooks, nowMs }, dying.pool).catch(() => undefined)
      if (first === undefined) {
        deaths += 1
        await dying.gone()
        // Minutes without rollups are read from rows, which a partition that is detached does not show until its drop has put them into rollups.
        if (isRolledUp) expect(await told(storage), `death at ${at}`).toMatchObject({ answers })
        expect(await run(everything, settled), `death at ${at}`).toMatchObject({ outcome: 'finished' })
      }
      archived += Object.values(ROWS).reduce((sum, rows) => sum + rows, 0)
      expect(await told(storage), `death at ${at}`).toEqual({ answers, archived })
      await rollUp()
      expect(await told(storage), `death at ${at}`).toEqual({ answers, archived })
      expect(await countOf('spans'), `death at ${at}`).toBe(0)
      expect(await countOf('log_records'), `death at ${at}`).toBe(2)
      if (first !== undefined) break
    }
    expect(deaths).toBeGreaterThan(3)
  })

  test('while its DETACH waits for a reader leaves it pending, and the next one finishes it', async () => {
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 3 })
    const reader = await openReader('select count(*) from log_records')
    const died = new AbortController()
    const dying = run(policy({ logs: 7 }), { signal: died.signal }).catch(() => undefined)
    await untilPending()
    died.abort()
    await dying
    expect(await pending()).toHaveLength(1)
    // Somebody still reads: nothing is lost, nothing is done. The server ends the session of the dead, which has the lock, a moment later.
    const heldUp = await eventually(async () => {
      const next = await run(policy({ logs: 7 }))
      expect(next.outcome).toBeDefined()
      return next
    })
    expect(heldUp.outcome).toBe('incomplete')
    expect(heldUp.ends).toEqual([`heldUp public.${dayOf('log_records', time)}`])
    // One that may wait says so, and goes on when the reader has ended.
    const kinds: string[] = []
    const waiting = run(policy({ logs: 7 }), {
      finishWaitMs: 20_000,
      onEvent: ({ kind }) => kinds.push(kind),
    })
    await eventually(() => expect(kinds).toEqual(['begun', 'waiting']))
    await reader.query('commit')
    expect((await waiting).outcome).toBe('finished')
    expect(await tables('^log_.*_p')).toEqual([])
  })
})

const pending = () => rows(`select from pg_inherits where inhdetachpending`)
const untilPending = () => eventually(async () => expect(await pending()).toHaveLength(1))

/** A transaction that has read, and goes on. */
async function openReader(text: string): Promise<pg.Client> {
  const client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'long read' })
  ends.push(() => client.end())
  await client.query('begin')
  await client.query(text)
  return client
}
