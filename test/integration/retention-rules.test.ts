import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import type { RetentionPolicy } from '../../src/retention/retention-policy.ts'
import type { RunRetentionOptions } from '../../src/retention/run-retention.ts'
import { eventually } from '../helpers/eventually.ts'
import { addLogs, addPoints, addSpans, dayOf, makeDay } from '../helpers/old-telemetry.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { retentionPolicy as policy, runOnce } from '../helpers/retention-run.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 23, 12)

let databaseUrl: string
let pool: pg.Pool

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  pool = createPool({ databaseUrl, applicationName: 'retention test', max: 2, onError: () => undefined })
})
afterEach(() =>
  pool.query(
    'truncate spans, span_contents, evaluations, log_records, log_contents, metric_points, metrics, metric_series, resources, removals',
  ),
)
afterAll(() => pool?.end())

const run = (kept: RetentionPolicy, options: Partial<RunRetentionOptions> = {}) =>
  runOnce(pool, kept, { nowMs: NOW, ...options })

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

describe('rules', () => {
  const time = NOW - 9 * DAY
  const servicesLeft = async (table = 'log_records') =>
    (
      await rows<{ service: string; n: number }>(
        `select service, count(*)::int as n from ${table} group by 1 order by 1`,
      )
    ).map(({ service, n }) => `${service} ${n}`)

  test('that keep longer keep their rows, with prompts, until they too let the partition go', async () => {
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 4, service: 'checkout', code: 17, hasContent: true })
    await addLogs(pool, { time, rows: 6, service: 'api', hasContent: true })
    const kept = policy({ logs: 7 }, 'logs service=checkout 90')
    await run(kept)
    expect(await servicesLeft()).toEqual(['checkout 4'])
    expect(await rows('select count(*)::int as n from log_contents')).toEqual([{ n: 4 }])
    expect(
      await rows('select from log_contents c join log_records using (time, entry_ms, entry_seq)'),
    ).toHaveLength(4)
    expect(await removals()).toMatchObject([{ kind: 'rows', state: 'removed', rows: 6 }])
    await run(kept, { nowMs: NOW + 82 * DAY })
    expect(await tables('^log_')).not.toContain(dayOf('log_records', time))
    expect(await removals()).toMatchObject([
      {},
      { kind: 'partition', rows: 4 },
      { kind: 'partition', rows: 4 },
    ])
  })

  test('that keep shorter let their rows go before the others, also where the signal is kept for ever', async () => {
    await makeDay(pool, time)
    for (const [service, code] of [
      ['none', 0],
      ['trace', 1],
      ['debug', 5],
      ['debug4', 8],
      ['info', 9],
      ['error', 17],
    ] as const)
      await addLogs(pool, { time, rows: 2, service, code })
    await run(policy({}, 'logs level<=debug 3'))
    expect(await servicesLeft()).toEqual(['error 2', 'info 2', 'none 2'])
    await run(policy({}, 'logs level<=debug 3, logs level>=error 5'))
    expect(await servicesLeft()).toEqual(['info 2', 'none 2'])
  })

  test('are asked in their order: the first that matches decides', async () => {
    await makeDay(pool, time)
    await addLogs(pool, { time, rows: 1, service: 'a', code: 17 })
    await addLogs(pool, { time, rows: 1, service: 'b', code: 17 })
    await addLogs(pool, { time, rows: 1, service: 'b', code: 9 })
    await addLogs(pool, { time, rows: 1, service: 'c', code: 9 })
    await run(policy({ logs: 7 }, 'logs service=a 3\nlogs level>=error forever\nlogs service=c 90'))
    expect(await servicesLeft()).toEqual(['b 1', 'c 1'])
  })

  test.each([
    ['attr.tenant=acme', 5],
    ['attr.n=3', 1],
    ['attr.tenant=acme attr.n=4', 1],
    ['attr.tenant=acme attr.n=3', 0],
    ['name=x', 0],
    ['environment=production', 10],
    [`service="it's; \\"a\\" b" level>=info`, 10],
  ])('of log records know %s', async (conditions, gone) => {
    await makeDay(pool, time)
    await pool.query(
      `insert into resources (resource_id, service, environment, attributes) values (1, 'x', 'production', '{}')`,
    )
    await addLogs(pool, { time, rows: 10, service: `it's; "a" b` })
    await run(policy({}, `logs ${conditions} 3`))
    expect(await countOf('log_records')).toBe(10 - gone)
  })

  test.each([
    ['status=error', 10],
    ['status=ok', 0],
    ['service=api name=chat', 15],
    ['kind=internal', 15],
    ['kind=server', 0],
    ['minDuration=6ms', 5],
    ['maxDuration=2ms', 4],
    ['user=u', 0],
    ['model=m', 0],
    ['session=s', 0],
    ['attr.n=1', 2],
  ])('of spans know %s', async (conditions, gone) => {
    await makeDay(pool, time)
    await addSpans(pool, { time, rows: 10, code: 2, hasContent: true })
    await addSpans(pool, { time, rows: 5 })
    await run(policy({}, `traces ${conditions} 3`))
    expect(await countOf('spans')).toBe(15 - gone)
    // Evaluations go with partitions alone.
    expect(await countOf('evaluations')).toBe(10)
    expect(
      await rows(
        'select from spans s where has_content and not exists (select from span_contents c where c.trace_id = s.trace_id)',
      ),
    ).toEqual([])
    expect(
      await rows(
        'select from span_contents c where not exists (select from spans s where c.trace_id = s.trace_id)',
      ),
    ).toEqual([])
  })

  test.each([
    ['service=api', 3],
    ['name=queue', 7],
    ['name=queue service=api', 3],
    ['attr.host=a', 3],
    ['environment=production', 3],
  ])('of data points know %s', async (conditions, gone) => {
    await makeDay(pool, time)
    await pool.query(`
      insert into resources (resource_id, service, environment, attributes) values (1, 'api', 'production', '{}');
      insert into metrics (metric_id, name, type) values (1, 'queue', 'gauge');
      insert into metric_series (series_id, metric_id, resource_id, scope_id, service, attributes)
        values (1, 1, 1, 1, 'api', '{"host":"a"}'), (2, 1, 2, 1, 'web', '{"host":"b"}')`)
    await addPoints(pool, { time, rows: 3, seriesId: 1 })
    await addPoints(pool, { time, rows: 4, seriesId: 2 })
    await run(policy({}, `metrics ${conditions} 3`))
    expect(await countOf('metric_points')).toBe(7 - gone)
  })

  test('are gone through once, and for late rows once more a day later', async () => {
    const time = NOW - 20 * DAY
    await makeDay(pool, time)
    // On connections of their own, which tell the statistics when they end.
    const add = (count: number) =>
      withPostgres(databaseUrl, (client) => addLogs(client, { time, rows: count, code: 5 }))
    await add(2)
    const kept = policy({}, 'logs level<=debug 3')
    const runsOfIt = async (...args: Parameters<typeof run>) =>
      (await run(...args)).ends.filter((end) => end.endsWith(dayOf('log_records', time)))
    // What was written is in the statistics a moment later.
    const untilCounted = (count: number) =>
      eventually(async () =>
        expect(
          await rows(`select n_tup_ins::int as n from pg_stat_all_tables where relname = $1`, [
            dayOf('log_records', time),
          ]),
        ).toEqual([{ n: count }]),
      )
    await untilCounted(2)
    expect(await runsOfIt(kept)).toHaveLength(1)
    expect(await runsOfIt(kept)).toEqual([])
    await add(3)
    await untilCounted(5)
    expect(await runsOfIt(kept, { nowMs: Date.now() })).toEqual([])
    expect(await runsOfIt(kept, { nowMs: Date.now() + DAY })).toHaveLength(1)
    expect(await countOf('log_records')).toBe(0)
    // Other rules are other rows.
    expect(await runsOfIt(policy({}, 'logs level<=warn 3'))).toHaveLength(1)
  })
})
