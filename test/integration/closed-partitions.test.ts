import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { bodyWords } from '../../src/retention/body-words.ts'
import { IndexKeeper, type IndexKeeperOptions } from '../../src/retention/index-keeper.ts'
import { Partitions } from '../../src/retention/partitions.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { createSpanTable } from '../../src/writers/span-table.ts'
import type { TelemetryTable } from '../../src/writers/telemetry-table.ts'
import { TelemetryWriter } from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { select } from '../helpers/stored.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'
import { startTestService } from '../helpers/test-service.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 23, 21, 30)
const SPANS = 'spans_p20261123'
const LOGS = 'log_records_p20261123'
const ALL_OF_A_DAY = [`${LOGS}_attributes_gin`, `${LOGS}_body_gin`, `${SPANS}_attributes_gin`]

let database: TestDatabase
let pool: pg.Pool
/** What has to end after a test however it ended, the last opened first. */
let ends: (() => Promise<unknown>)[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'closed partitions test',
    max: 4,
    onError: () => undefined,
  })
  ends = [() => pool.end()]
})
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  await database.drop()
})

interface Keeper {
  readonly keeper: IndexKeeper
  readonly log: Record<string, unknown>[]
  /** Indexes that were built, in order. */
  built(): string[]
  metric(name: string): Promise<Record<string, number>>
}

/** Looks every 20 ms. Its pool's lock_timeout is short: no build may be held to it. */
function startKeeper(options: Partial<IndexKeeperOptions> = {}): Keeper {
  const metrics = createMetrics()
  const log: Record<string, unknown>[] = []
  const own = createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'observatory:maintenance',
    max: 1,
    lockTimeoutMs: 200,
    onError: () => undefined,
  })
  const keeper = new IndexKeeper({
    pool: own,
    partitions: 'closed',
    metrics,
    logger: createLogger({
      level: 'debug',
      pretty: false,
      write: (line) => log.push(JSON.parse(line)),
    }),
    intervalMs: 20,
    pauseMs: 0,
    now: () => NOW + 2 * DAY,
    ...options,
  })
  ends.push(async () => {
    await keeper.stop()
    await own.end()
  })
  return {
    keeper,
    log,
    built: () => log.filter(({ msg }) => String(msg).startsWith('built')).map(({ index }) => index as string),
    async metric(name) {
      const metric = metrics.registry.getSingleMetric(`observatory_${name}`)
      const { values } = await metric!.get()
      return Object.fromEntries(values.map(({ labels, value }) => [labels.table, value]))
    },
  }
}

const makePartitions = (ahead = 0, interval: 'day' | 'hour' = 'day') =>
  new Partitions({ pool, interval }).ensureAhead(ahead, NOW)

const run = (text: string) => withPostgres(database.databaseUrl, (client) => client.query(text))

interface Index {
  readonly name: string
  readonly oid: number
  readonly valid: boolean
}

/** The GIN indexes there are, by name. */
async function indexes(): Promise<Index[]> {
  return select<Index>(
    database.databaseUrl,
    `select c.relname as name, c.oid::int, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
       join pg_am a on a.oid = c.relam where a.amname = 'gin' order by 1`,
  )
}

async function validIndexes(): Promise<string[]> {
  return (await indexes()).filter(({ valid }) => valid).map(({ name }) => name)
}

/** Waits until those indexes are there, and no others. */
const untilBuilt = (names: readonly string[]) =>
  eventually(async () => {
    expect(await validIndexes()).toEqual(names)
    expect(await indexes()).toHaveLength(names.length)
  })

/** Another session, in a transaction that has written to the partition, or only sees what was there when it began. */
async function openTransaction(kind: 'writer' | 'reader'): Promise<pg.Client> {
  const client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'old transaction' })
  ends.push(() => client.end())
  await client.query(`begin isolation level repeatable read`)
  // Whoever writes holds a lock that the build waits for before it begins; whoever has a snapshot is waited for at its end.
  if (kind === 'writer') await client.query(`lock table ${SPANS} in row exclusive mode`)
  else await client.query('select from scopes')
  return client
}

/** Waits until a build waits for another transaction. */
const untilBuildWaits = () =>
  eventually(async () => {
    const rows = await select(
      database.databaseUrl,
      `select 1 from pg_locks join pg_stat_activity using (pid) where not granted and locktype = 'virtualxid'
          and datname = current_database() and query ~ '^create index'`,
    )
    expect(rows).toHaveLength(1)
  })

async function write<T extends object>(
  // biome-ignore lint/suspicious/noExplicitAny: the forms of the tables differ, and none of it is looked at
  table: TelemetryTable<T, any, any>,
  records: readonly object[],
): Promise<{ written: number }> {
  const writer = new TelemetryWriter<T>(table, { pool })
  writer.end(records)
  await once(writer, 'finish')
  return writer.stats()
}

describe('the indexes of a partition are built', () => {
  test('an hour after its end, and not before', async () => {
    await makePartitions(1)
    let now = Date.UTC(2026, 10, 24, 0, 59, 59)
    const keeper = startKeeper({ now: () => now })
    await eventually(async () =>
      expect(await keeper.metric('partition_indexes_missing')).toEqual({ spans: 0, log_records: 0 }),
    )
    await delay(100)
    expect(await indexes()).toEqual([])
    now += 1000
    await untilBuilt(ALL_OF_A_DAY)
  })

  test('at once where that is asked for, also of those whose time has not come', async () => {
    await makePartitions(1)
    startKeeper({ partitions: 'hot', now: () => NOW })
    await untilBuilt([...ALL_OF_A_DAY, ...ALL_OF_A_DAY.map((name) => name.replace('23', '24'))].sort())
  })

  test('the newest first, one after the other, and are counted', async () => {
    await makePartitions(2, 'hour')
    const keeper = startKeeper()
    await eventually(() => expect(keeper.built()).toHaveLength(9))
    const hours = keeper.built().map((name) => /t(\d\d)_/.exec(name)?.[1])
    expect(hours).toEqual(['23', '23', '23', '22', '22', '22', '21', '21', '21'])
    expect(await keeper.metric('partition_indexes_built_total')).toEqual({ spans: 3, log_records: 6 })
    const seconds = await keeper.metric('partition_index_last_build_seconds')
    expect(seconds).toEqual({ spans: expect.any(Number), log_records: expect.any(Number) })
    await eventually(async () =>
      expect(await keeper.metric('partition_indexes_missing')).toEqual({ spans: 0, log_records: 0 }),
    )
    expect(keeper.log.map(({ level }) => level)).toEqual(Array.from({ length: 9 }, () => 'debug'))
  })

  test('with a pause between two, as long as the build took and no shorter than is set', async () => {
    await makePartitions()
    const keeper = startKeeper({ pauseMs: 300 })
    const builtAt: number[] = []
    while (builtAt.length < 3) {
      await eventually(() => expect(keeper.built().length).toBeGreaterThan(builtAt.length))
      builtAt.push(performance.now())
    }
    for (const gap of [builtAt[1]! - builtAt[0]!, builtAt[2]! - builtAt[1]!]) expect(gap).toBeGreaterThan(250)
  })

  test('once, although several processes look', async () => {
    await makePartitions(3)
    const keepers = Array.from({ length: 3 }, () => startKeeper({ now: () => NOW + 9 * DAY }))
    await eventually(async () => expect(await validIndexes()).toHaveLength(12))
    await delay(100)
    const built = keepers.flatMap((keeper) => keeper.built())
    expect(built.sort()).toEqual(await validIndexes())
    for (const { log } of keepers)
      expect(log.filter(({ msg }) => !String(msg).startsWith('built'))).toEqual([])
  })

  test('of a partition with a schema and a name that must be quoted', async () => {
    await run(`create schema "Old"; create table "Old"."Spans 1" (like spans including all);
      alter table spans attach partition "Old"."Spans 1" for values from ('2020-01-01') to ('2020-01-02')`)
    startKeeper()
    await untilBuilt(['Spans 1_attributes_gin'])
    await run(
      `update pg_index set indisvalid = false where indexrelid = '"Old"."Spans 1_attributes_gin"'::regclass`,
    )
    await untilBuilt(['Spans 1_attributes_gin'])
  })

  test('whatever a body holds', async () => {
    // Words of 4 bytes a character, all different, each also a part of a longer one where hyphens join them: what a tsvector has to hold most
    // of. In words of five the whole text is too much for one.
    const letters = Array.from({ length: 240_000 }, (_, n) => String.fromCodePoint(0x20000 + (n % 49_999)))
    const bodies = [1, 3, 5, 50].map((length) => {
      const words: string[] = []
      for (let at = 0; at < letters.length; at += length) words.push(letters.slice(at, at + length).join(''))
      return words.slice(0, 180_000).join(length === 3 ? '-' : ' ')
    })
    const time = Date.now() - 3 * DAY
    const long = ['x'.repeat(1_000_000), 'a '.repeat(500_000), '', '{"a":"b"}']
    const records = [...bodies, ...long, undefined].map((body) => ({ time, body, service: 'api' }))
    expect(await write(LOG_RECORD_TABLE, records)).toMatchObject({ written: 9 })
    const keeper = startKeeper({ now: () => Date.now() })
    await eventually(() => expect(keeper.built()).toHaveLength(2))
    expect(
      await write(
        LOG_RECORD_TABLE,
        bodies.map((body) => ({ time, body })),
      ),
    ).toMatchObject({ written: 4 })
  })
})

describe('an index that is INVALID', () => {
  test('since its build was broken off, is made again', async () => {
    await makePartitions()
    const old = await openTransaction('reader')
    const create = `create index concurrently ${SPANS}_attributes_gin on ${SPANS} using gin (attributes jsonb_path_ops)`
    await expect(
      withPostgres(database.databaseUrl, async (client) => {
        await client.query('set statement_timeout = 3000')
        await client.query(create)
      }),
    ).rejects.toThrow(/timeout/)
    const [left] = await indexes()
    expect(left).toMatchObject({ name: `${SPANS}_attributes_gin`, valid: false })
    await old.query('commit')
    const keeper = startKeeper()
    await untilBuilt(ALL_OF_A_DAY)
    expect((await indexes()).map(({ oid }) => oid)).not.toContain(left?.oid)
    expect(keeper.log).toContainEqual(
      expect.objectContaining({ index: `${SPANS}_attributes_gin`, msg: expect.stringMatching(/INVALID/) }),
    )
  })

  test('however it came to be so, is made again', async () => {
    await makePartitions()
    const keeper = startKeeper()
    await untilBuilt(ALL_OF_A_DAY)
    const before = await indexes()
    await run(`update pg_index set indisvalid = false where indexrelid = '${LOGS}_body_gin'::regclass`)
    await eventually(() => expect(keeper.built()).toHaveLength(4))
    const after = await indexes()
    expect(after.map(({ valid }) => valid)).toEqual([true, true, true])
    const remade = after.filter(({ oid }, position) => oid !== before[position]?.oid)
    expect(remade.map(({ name }) => name)).toEqual([`${LOGS}_body_gin`])
  })

  test('while somebody else builds it, is left alone', async () => {
    await makePartitions()
    const old = await openTransaction('writer')
    const building = run(
      `create index concurrently ${SPANS}_attributes_gin on ${SPANS} using gin (attributes jsonb_path_ops)`,
    )
    await untilBuildWaits()
    const theirs = (await indexes())[0]
    expect(theirs?.valid).toBe(false)
    const keeper = startKeeper()
    await eventually(() => expect(keeper.built()).toHaveLength(2))
    await eventually(async () =>
      expect(await keeper.metric('partition_indexes_missing')).toEqual({ spans: 1, log_records: 0 }),
    )
    await old.query('commit')
    await building
    await eventually(async () =>
      expect(await keeper.metric('partition_indexes_missing')).toMatchObject({ spans: 0 }),
    )
    expect(keeper.built()).toEqual([`${LOGS}_attributes_gin`, `${LOGS}_body_gin`])
    expect(await indexes()).toContainEqual({ ...theirs, valid: true })
    expect(keeper.log.filter(({ msg }) => !String(msg).startsWith('built'))).toEqual([])
  })
})

describe('a build that waits for an old transaction', () => {
  test.each(['writer', 'reader'] as const)(
    'a %s, holds up no COPY, has no time limit of a session, and goes on when it ends',
    async (kind) => {
      const time = Date.now() - 3 * DAY
      const day = new Date(time).toISOString().slice(0, 10).replaceAll('-', '')
      await write(createSpanTable(), [looseSpan('first', { startTime: time })])
      const old = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'old transaction' })
      ends.push(() => old.end())
      await old.query('begin isolation level repeatable read')
      await old.query(
        kind === 'writer' ? `lock table spans_p${day} in row exclusive mode` : 'select from scopes',
      )
      const keeper = startKeeper({ now: () => Date.now() })
      await untilBuildWaits()
      const startedAt = performance.now()
      expect(await write(createSpanTable(), [looseSpan('late', { startTime: time })])).toMatchObject({
        written: 1,
      })
      expect(performance.now() - startedAt).toBeLessThan(1000)
      // The lock_timeout of the keeper's pool is long over.
      await delay(500)
      expect(keeper.built()).toEqual([])
      await old.query('commit')
      await eventually(() => expect(keeper.built()).toHaveLength(1))
      expect(keeper.log).toHaveLength(1)
      const found = await select(
        database.databaseUrl,
        `select name from spans where attributes @> '{}' order by 1`,
      )
      expect(found.map(({ name }) => name)).toEqual(['first', 'late'])
    },
  )

  test.each(['writer', 'reader'] as const)(
    'a %s, is ended by a stop within a second, and the next one mends it',
    async (kind) => {
      await makePartitions()
      const old = await openTransaction(kind)
      const { keeper, built, log } = startKeeper()
      await untilBuildWaits()
      const startedAt = performance.now()
      await keeper.stop()
      expect(performance.now() - startedAt).toBeLessThan(1000)
      await eventually(
        async () =>
          expect(
            await select(
              database.databaseUrl,
              `select 1 from pg_stat_activity where datname = current_database() and application_name = 'observatory:maintenance'`,
            ),
          ).toEqual([]),
        { timeoutMs: 1000 },
      )
      expect((await indexes()).map(({ valid }) => valid)).toContain(false)
      expect(built()).toEqual([])
      expect(log).toEqual([])
      await old.query('commit')
      startKeeper()
      await untilBuilt(ALL_OF_A_DAY)
    },
  )

  test('and loses its connection, is begun again', async () => {
    await makePartitions()
    const old = await openTransaction('reader')
    const first = startKeeper()
    await untilBuildWaits()
    // Its session is gone, and with it the lock: another process may go on.
    await run(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where datname = current_database() and application_name = 'observatory:maintenance'`,
    )
    await old.query('commit')
    const second = startKeeper()
    await untilBuilt(ALL_OF_A_DAY)
    expect([...first.built(), ...second.built()].sort()).toEqual(ALL_OF_A_DAY)
  })
})

test('an index that cannot be built is told and counted, and holds up no other', async () => {
  await makePartitions()
  await run(`create table ${SPANS}_attributes_gin (n int)`)
  const keeper = startKeeper()
  await untilBuilt([`${LOGS}_attributes_gin`, `${LOGS}_body_gin`])
  await eventually(async () =>
    expect(await keeper.metric('partition_indexes_missing')).toEqual({ spans: 1, log_records: 0 }),
  )
  const told = keeper.log.filter(({ msg }) => String(msg).startsWith('building an index failed'))
  expect(told).toEqual([expect.objectContaining({ index: `${SPANS}_attributes_gin`, level: 'warn' })])
  expect(await keeper.metric('partition_index_failures_total')).toEqual({ spans: 1 })
})

describe('answers', () => {
  const queries = {
    spans: `select entry_ms, record_index, name from span_view where hot_attributes @> '{"user.id": "7"}' order by 3, 1, 2`,
    logs: `select entry_ms, record_index, body from log_view where hot_attributes @> '{"user.id": "7"}' order by 3, 1, 2`,
    words: `select body from log_records l where ${bodyWords('l.body')} @@ to_tsquery('simple', 'seven & !odd') order by 1`,
  }
  const answers = async () =>
    Promise.all(Object.values(queries).map((text) => select(database.databaseUrl, text)))
  const time = Date.now() - 3 * DAY
  const spansFrom = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) =>
      looseSpan(`span ${from + n}`, { startTime: time, attributes: { 'user.id': String((from + n) % 500) } }),
    )
  const logsFrom = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => ({
      time,
      body: `record ${from + n} ${(from + n) % 500 === 7 ? 'Seven' : 'other'} ${Math.floor((from + n) / 500) % 2 ? 'odd' : 'even'}`,
      attributes: { 'user.id': String((from + n) % 500) },
    }))

  test('are the same before, while and after the indexes are built, and use them then', async () => {
    await write(createSpanTable(), spansFrom(0, 20_000))
    await write(LOG_RECORD_TABLE, logsFrom(0, 20_000))
    await run('analyze spans; analyze log_records')
    const before = await answers()
    expect(before.map((rows) => rows.length)).toEqual([40, 40, 20])
    for (const text of Object.values(queries)) expect(await plan(text)).not.toMatch(/_gin/)

    const old = await openTransaction('reader')
    const keeper = startKeeper({ now: () => Date.now() })
    await untilBuildWaits()
    expect(await answers()).toEqual(before)
    await old.query('commit')
    await eventually(() => expect(keeper.built()).toHaveLength(3))
    expect(await answers()).toEqual(before)
    expect(await plan(queries.spans)).toMatch(/Bitmap Index Scan on spans_p\d+_attributes_gin/)
    expect(await plan(queries.logs)).toMatch(/Bitmap Index Scan on log_records_p\d+_attributes_gin/)
    expect(await plan(queries.words)).toMatch(/Bitmap Index Scan on log_records_p\d+_body_gin/)

    // Late data is found by them, too.
    await write(createSpanTable(), spansFrom(20_000, 21_000))
    await write(LOG_RECORD_TABLE, logsFrom(20_000, 21_000))
    expect((await answers()).map((rows) => rows.length)).toEqual([42, 42, 21])
  })

  async function plan(text: string): Promise<string> {
    const rows = await select<{ 'QUERY PLAN': string }>(database.databaseUrl, `explain (costs off) ${text}`)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }
})

describe('a service', () => {
  const yesterday = () => Date.now() - 2 * DAY

  test.each([
    ['builds those of closed partitions', {}, 1],
    ['builds none of them when that is off', { INDEX_PARTITIONS: 'off' }, 0],
  ] as const)('%s', async (_, env, count) => {
    await write(createSpanTable(), [looseSpan('late', { startTime: yesterday() })])
    const service = await startTestService(
      { DATABASE_URL: database.databaseUrl, ...env },
      { roles: ['ingest'] },
    )
    ends.push(() => service.close())
    if (count === 0) await delay(500)
    await eventually(async () => expect(await indexes()).toHaveLength(count))
    if (count === 0) return
    // It is counted a moment after it is there.
    await eventually(async () => {
      const text = await (await service.get('/metrics')).text()
      const built = /observatory_partition_indexes_built_total\{table="spans"\} (\d+)/.exec(text)?.[1]
      expect(built).toBe('1')
    })
  })

  test('builds those of all partitions at once when it is told to, beside what it ingests', async () => {
    const service = await startTestService(
      { DATABASE_URL: database.databaseUrl, INDEX_PARTITIONS: 'hot', PARTITIONS_AHEAD: '1' },
      { roles: ['ingest'] },
    )
    ends.push(() => service.close())
    await service.redis.xadd(`${service.prefix}:logs`, '*', 'message', 'boom')
    await eventually(async () => expect(await validIndexes()).toHaveLength(6), { timeoutMs: 30_000 })
    await eventually(async () =>
      expect(
        await select(database.databaseUrl, `select body from log_records where ${bodyWords()} @@ 'boom'`),
      ).toEqual([{ body: 'boom' }]),
    )
  })

  test('ends a build within a second of its stop', async () => {
    await write(createSpanTable(), [looseSpan('late', { startTime: yesterday() })])
    await openTransaction('reader')
    const service = await startTestService({ DATABASE_URL: database.databaseUrl }, { roles: ['ingest'] })
    ends.push(() => service.close())
    await untilBuildWaits()
    const startedAt = performance.now()
    await service.service.stop()
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })
})
