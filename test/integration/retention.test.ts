import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { INDEX_BUILD_LOCK } from '../../src/retention/build-session.ts'
import { NO_REMOVAL_HOOKS, type RemovalHooks } from '../../src/retention/removal-hooks.ts'
import type { RetentionPolicy } from '../../src/retention/retention-policy.ts'
import type { RunRetentionOptions } from '../../src/retention/run-retention.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, addSpans, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { CREATE_SUMS, retentionPolicy as policy, runOnce, SUMMING_HOOKS } from '../helpers/retention-run.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 23, 12)

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

const removals = () =>
  rows<{ state: string; kind: string; partition_name: string; rows: number }>(
    'select state, kind, partition_name, rows::int from removals order by removal_id',
  )

describe('a partition goes', () => {
  test('once all of it is older than the days of its signal, and none before', async () => {
    for (const days of [0, 2, 3, 4]) await makeDay(pool, NOW - days * DAY)
    // The day before yesterday ended 36 hours ago.
    expect(await run(policy({ logs: 1 }), { nowMs: NOW - 12 * HOUR - 1 })).toMatchObject({
      outcome: 'finished',
    })
    expect(await tables('^log_records_p')).toEqual([
      dayOf('log_records', NOW - 2 * DAY),
      dayOf('log_records', NOW),
    ])
    await run(policy({ logs: 1 }), { nowMs: NOW - 12 * HOUR })
    expect(await tables('^log_records_p')).toEqual([dayOf('log_records', NOW)])
    expect(await tables('^log_contents_p')).toEqual([dayOf('log_contents', NOW)])
    // Nothing was set of the others.
    expect(await tables('^(spans|evaluations|metric_points)_p')).toHaveLength(12)
  })

  test('with prompts and evaluations, after its spans', async () => {
    const time = NOW - 9 * DAY
    await makeDay(pool, time)
    await addSpans(pool, { time, rows: 5, hasContent: true })
    const result = await run(policy({ traces: 7 }))
    expect(result.ends).toEqual(
      ['spans', 'span_contents', 'evaluations'].map((table) => `removed public.${dayOf(table, time)}`),
    )
    expect(await tables('^(spans|span_contents|evaluations)_p')).toEqual([])
    expect(await removals()).toEqual(
      ['spans', 'span_contents', 'evaluations'].map((table) => ({
        state: 'removed',
        kind: 'partition',
        partition_name: `public.${dayOf(table, time)}`,
        rows: 5,
      })),
    )
  })

  test('and nothing else does where nothing is set', async () => {
    await makeDay(pool, NOW - 9 * DAY)
    expect(await run(policy({}))).toMatchObject({ outcome: 'finished', events: [] })
    expect(await tables()).toHaveLength(6)
  })

  test('again, when late rows have made it anew', async () => {
    const time = NOW - 9 * DAY
    for (let round = 0; round < 2; round += 1) {
      await makeDay(pool, time)
      await addLogs(pool, { time, rows: 3 })
      expect((await run(policy({ logs: 7 }))).ends).toHaveLength(2)
      expect(await tables('^log_')).not.toContain(dayOf('log_records', time))
    }
    expect((await removals()).map(({ rows }) => rows)).toEqual([3, 0, 3, 0])
  })

  test('whatever its name and schema are', async () => {
    await pool.query(`create schema "Old"; create table "Old"."Logs 1" (like log_records including all);
      alter table log_records attach partition "Old"."Logs 1" for values from ('2020-01-01') to ('2020-01-02')`)
    expect((await run(policy({ logs: 7 }))).ends).toEqual(['removed "Old"."Logs 1"'])
    expect(await rows(`select from pg_class where relname = 'Logs 1'`)).toEqual([])
  })
})

describe('hooks', () => {
  const time = NOW - 9 * DAY

  test('have the rows that go, of a partition and of each chunk, in the transaction that removes them', async () => {
    await pool.query(CREATE_SUMS)
    await makeDay(pool, time)
    // More than one chunk.
    await addLogs(pool, { time, rows: 40_000, code: 5 })
    await addLogs(pool, { time, rows: 7, code: 9 })
    const [before] = await rows<{ seqs: string }>(
      'select sum(entry_seq) as seqs from log_records where severity_number = 5',
    )
    const { events } = await run(policy({}, 'logs level<=debug 3'), { hooks: SUMMING_HOOKS })
    expect(events.filter(({ kind }) => kind === 'chunk').length).toBeGreaterThan(1)
    const [sum] = await rows<{ n: number; rows: number; seqs: string; ids: number }>(
      'select count(*)::int as n, sum(rows)::int as rows, sum(seqs) as seqs, count(distinct removal_id)::int as ids from sums',
    )
    expect(sum).toEqual({
      n: events.filter(({ kind }) => kind === 'chunk').length,
      rows: 40_000,
      seqs: before?.seqs,
      ids: 1,
    })
    await run(policy({ logs: 7 }), { hooks: SUMMING_HOOKS })
    expect(await rows(`select rows::int, table_name from sums where removal_id > 1 order by 2 desc`)).toEqual(
      [
        { rows: 7, table_name: 'log_records' },
        { rows: 0, table_name: 'log_contents' },
      ],
    )
  })

  test('are told of a partition before it is detached, and keep it by throwing', async () => {
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 3 })
    let refuse = true
    const told: string[] = []
    const hooks: RemovalHooks = {
      ...NO_REMOVAL_HOOKS,
      beforeRemoval: async ({ partition, kind }) => {
        told.push(`${kind} ${partition} ${await countOf('log_records')}`)
        if (refuse && partition.includes('log_records')) throw new Error('The archive is full')
      },
    }
    const failed = await run(policy({ logs: 7 }), { hooks })
    expect(failed.outcome).toBe('incomplete')
    // Its prompts stay with it.
    expect(failed.ends).toEqual([`failed public.${dayOf('log_records', time)}`])
    expect(await tables('^log_')).toContain(dayOf('log_contents', time))
    expect(await countOf('log_records')).toBe(3)
    refuse = false
    expect((await run(policy({ logs: 7 }), { hooks })).outcome).toBe('finished')
    expect(told).toEqual([
      `partition public.${dayOf('log_records', time)} 3`,
      `partition public.${dayOf('log_records', time)} 3`,
      `partition public.${dayOf('log_contents', time)} 0`,
    ])
    expect((await removals()).map(({ state }) => state)).toEqual(['removed', 'removed'])
  })

  test('keep what was detached by throwing, and are told of it again', async () => {
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 3 })
    let refuse = true
    const told: string[] = []
    const hooks: RemovalHooks = {
      beforeRemoval: async ({ partition }) => void told.push(partition),
      removeRows: async (_, { table }) => {
        if (refuse && table === 'log_records') throw new Error('Rows came late')
      },
    }
    expect((await run(policy({ logs: 7 }), { hooks })).outcome).toBe('incomplete')
    const name = `public.${dayOf('log_records', time)}`
    expect(await countOf(name)).toBe(3)
    expect(await countOf('log_records')).toBe(0)
    // Late rows go to a partition of another name, which is removed as well.
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 2 })
    refuse = false
    expect((await run(policy({ logs: 7 }), { hooks })).outcome).toBe('finished')
    expect(told.filter((partition) => partition === name)).toHaveLength(2)
    expect(await removals()).toMatchObject([{ rows: 3 }, { rows: 2, partition_name: `${name}_2` }, {}])
    expect(await tables('^log_.*_p')).toEqual([])
  })
})

describe('after a partition is dropped', () => {
  const WORKED_MS = 300
  const slowly: RemovalHooks = {
    ...NO_REMOVAL_HOOKS,
    removeRows: async (client) => void (await client.query(`select pg_sleep(${WORKED_MS / 1000})`)),
  }

  test('the server is left to others for twice as long as that took', async () => {
    await makeDay(pool, NOW - 9 * DAY)
    const atMs: Record<string, number> = {}
    await run(policy({ logs: 7 }), {
      hooks: slowly,
      onEvent: ({ kind, removal: { table } }) => {
        atMs[`${kind} ${table}`] = performance.now()
      },
    })
    // Timers are not exact, and what is told is told when the rest is over.
    const [begun, removed] = [atMs['begun log_records'] ?? 0, atMs['removed log_records'] ?? 0]
    expect(removed - begun).toBeGreaterThan(3 * WORKED_MS - 20)
  })

  test('a stop ends that, and what is gone is told', async () => {
    const stopping = new AbortController()
    await makeDay(pool, NOW - 9 * DAY)
    const told: string[] = []
    const stopped = run(policy({ logs: 7 }), {
      hooks: {
        ...slowly,
        removeRows: async (client, removal, relation) => {
          await slowly.removeRows(client, removal, relation)
          const isRemoved = async () => expect((await removals())[0]?.state).toBe('removed')
          void eventually(isRemoved).then(() => stopping.abort(new Error('stopped')))
        },
      },
      signal: stopping.signal,
      onEvent: ({ kind, removal: { table } }) => void told.push(`${kind} ${table}`),
    })
    await expect(stopped).rejects.toThrow('stopped')
    expect(told).toEqual(['begun log_records', 'removed log_records'])
  })
})

describe('others', () => {
  const time = NOW - 9 * DAY

  test('who build an index are waited for, and then it goes on', async () => {
    await makeDay(pool, time)
    const builder = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'builder' })
    ends.push(() => builder.end())
    await builder.query(`select pg_advisory_lock(${INDEX_BUILD_LOCK})`)
    const heldUp = await run(policy({ logs: 7 }), { buildWaitMs: 0 })
    expect(heldUp.outcome).toBe('incomplete')
    const waiting = run(policy({ logs: 7 }), { buildWaitMs: 10_000 })
    await delay(100)
    expect(await tables('^log_.*_p')).toHaveLength(2)
    await builder.query(`select pg_advisory_unlock(${INDEX_BUILD_LOCK})`)
    expect((await waiting).outcome).toBe('finished')
    expect(await tables('^log_.*_p')).toEqual([])
  })

  test('who remove are let do it: of two at once one does', async () => {
    await makeDay(pool, time)
    const results = await Promise.all(Array.from({ length: 3 }, () => run(policy({ logs: 7 }))))
    expect(results.filter(({ outcome }) => outcome === 'finished').length).toBeGreaterThanOrEqual(1)
    expect(results.flatMap(({ ends }) => ends)).toHaveLength(2)
    expect((await removals()).map(({ state }) => state)).toEqual(['removed', 'removed'])
  })

  test('who change their mind keep a partition whose detaching was not begun', async () => {
    await makeDay(pool, time)
    const hooks = { ...NO_REMOVAL_HOOKS, beforeRemoval: async () => Promise.reject(new Error('not now')) }
    await run(policy({ logs: 7 }), { hooks })
    expect((await removals()).map(({ state }) => state)).toEqual(['announced'])
    await run(policy({ logs: 30 }))
    expect((await removals()).map(({ state }) => state)).toEqual(['abandoned'])
    expect(await tables('^log_records_p')).toHaveLength(1)
  })

  test('who drop a partition first are no trouble', async () => {
    await makeDay(pool, time)
    const hooks = { ...NO_REMOVAL_HOOKS, beforeRemoval: async () => Promise.reject(new Error('not now')) }
    await run(policy({ logs: 7 }), { hooks })
    await pool.query(`drop table ${dayOf('log_records', time)}`)
    expect((await run(policy({ logs: 7 }))).outcome).toBe('finished')
    expect((await removals()).map(({ state }) => state)).toEqual(['abandoned', 'removed'])
  })
})
