import { once } from 'node:events'
import fc from 'fast-check'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DataPoint } from '../../src/models/data-point.ts'
import { metricIdentity, resourceIdentity, scopeIdentity, seriesIdentity } from '../../src/models/identity.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { METRIC_POINT_TABLE } from '../../src/writers/metric-point-table.ts'
import {
  type BufferStats,
  TelemetryWriter,
  type TelemetryWriterOptions,
} from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { expectLedgerCounts, select } from '../helpers/stored.ts'
import { decodedChunk, decodedEntry } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

let database: TestDatabase
let pool: pg.Pool

beforeEach(async () => {
  database = await createTestDatabase()
  pool = openPool()
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

function openPool(): pg.Pool {
  return createPool({
    databaseUrl: database.databaseUrl,
    applicationName: 'interned content test',
    max: 4,
    onError: () => undefined,
  })
}

const run = (text: string, values: unknown[] = []) =>
  withPostgres(database.databaseUrl, (client) => client.query(text, values))

function point(value: number, fields: object = {}): object {
  return { name: 'requests', type: 'counter', value, time: Date.now(), service: 'api', ...fields }
}

/** The resource of a record that says no more than its service. */
const resourceOf = (service: string) => ({ attributes: { 'service.name': service }, schemaUrl: undefined })

function openWriter(options: Partial<TelemetryWriterOptions<DataPoint>> = {}): TelemetryWriter<DataPoint> {
  return new TelemetryWriter<DataPoint>(METRIC_POINT_TABLE, { pool, maxAgeMs: 20, ...options })
}

async function write(
  points: readonly object[],
  options: Partial<TelemetryWriterOptions<DataPoint>> = {},
): Promise<BufferStats> {
  const writer = openWriter(options)
  writer.end(points)
  await once(writer, 'finish')
  return writer.stats()
}

/** Writes more with a writer that goes on, and resolves when it is committed. */
async function commit(writer: TelemetryWriter<DataPoint>, points: readonly object[]): Promise<void> {
  const before = writer.stats()
  writer.write(points)
  await eventually(() => {
    const { written, deadLettered } = writer.stats()
    expect(written + deadLettered).toBe(before.written + before.deadLettered + points.length)
  })
}

async function end(writer: TelemetryWriter<DataPoint>): Promise<void> {
  writer.end()
  await once(writer, 'finish')
}

async function letters(): Promise<{ value: number; reason: string; detail: string }[]> {
  return select(
    database.databaseUrl,
    `select (convert_from(payload, 'UTF8')::jsonb ->> 'value')::int as value, reason, detail
       from dead_letters order by 1`,
  )
}

async function values(): Promise<number[]> {
  const rows = await select<{ value: number }>(
    database.databaseUrl,
    'select value from point_view order by value',
  )
  return rows.map(({ value }) => value)
}

const count = async (table: string) =>
  (await select<{ n: number }>(database.databaseUrl, `select count(*)::int as n from ${table}`))[0]!.n

describe('what repeats', () => {
  test('is stored once, and points are read with all of it', async () => {
    const resource = { 'deployment.environment.name': 'prod', host: 'a' }
    const scope = { name: 'sdk', version: '1', attributes: { x: 1 } }
    const points = Array.from({ length: 20 }, (_, value) =>
      point(value, { unit: '1', resource, scope, attributes: { route: `/${value % 2}` } }),
    )
    await write(points)
    await write(points)
    expect(await Promise.all(['resources', 'scopes', 'metrics', 'metric_series'].map(count))).toEqual([
      1, 1, 1, 2,
    ])
    const [row] = await select(
      database.databaseUrl,
      `select name, unit, service, environment, attributes, resource_attributes, scope_name, scope_attributes
         from point_view where value = 7 limit 1`,
    )
    expect(row).toEqual({
      name: 'requests',
      unit: '1',
      service: 'api',
      environment: 'prod',
      attributes: { route: '/1' },
      resource_attributes: { ...resource, 'service.name': 'api' },
      scope_name: 'sdk',
      scope_attributes: { x: 1 },
    })
  })

  test('is committed before the batch that refers to it', async () => {
    await write([point(0)])
    const blocker = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'blocker' })
    await blocker.query('begin')
    await blocker.query('lock table metric_points in share row exclusive mode')
    const written = write([point(1, { name: 'latency', resource: { host: 'b' } })])
    await eventually(async () => expect(await count('metric_series')).toBe(2))
    expect(await count('metric_points')).toBe(1)
    await blocker.query('rollback')
    await blocker.end()
    expect(await written).toMatchObject({ written: 1 })
  })

  test('may be new to many workers at once: no deadlock, no doubles', async () => {
    const pools = Array.from({ length: 5 }, () => openPool())
    const points = Array.from({ length: 300 }, (_, value) =>
      point(value, { service: `s${value % 30}`, name: `m${value % 50}`, resource: { host: value % 70 } }),
    )
    const writes = pools.map((each, index) => {
      const rotated = [...points.slice(index * 60), ...points.slice(0, index * 60)]
      return write(rotated, { pool: each, maxRows: 300 })
    })
    const stats = await Promise.all(writes)
    await Promise.all(pools.map((each) => each.end()))
    expect(stats.map(({ written, retries }) => ({ written, retries }))).toEqual(
      pools.map(() => ({ written: 300, retries: 0 })),
    )
    expect(await values()).toHaveLength(1500)
    const orphans = await select(
      database.databaseUrl,
      `select count(*)::int as n from point_view where name is null or resource_attributes is null or scope_attributes is null`,
    )
    expect(orphans).toEqual([{ n: 0 }])
  })

  test('is inserted in one order by all, so that two that meet wait and neither is ended by a deadlock', async () => {
    const services = Array.from({ length: 9 }, (_, n) => `service ${n}`)
    const ordered = services
      .map((service) => ({ service, id: resourceIdentity(resourceOf(service)).id }))
      .sort((a, b) => Number(a.id > b.id) - Number(a.id < b.id))
    const middle = ordered[4]!
    const points = ordered.map(({ service }, value) => point(value, { service }))
    const blocker = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'blocker' })
    await blocker.query('begin')
    await blocker.query(
      "insert into resources (resource_id, service, attributes) values ($1, 'blocks', '{}')",
      [middle.id],
    )
    const writes = [write(points), write([...points].reverse())]
    await eventually(async () => {
      const waiting = await select(
        database.databaseUrl,
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      expect(waiting).toHaveLength(2)
    })
    await blocker.query('rollback')
    await blocker.end()
    for (const stats of await Promise.all(writes)) expect(stats).toMatchObject({ written: 9, retries: 0 })
  })

  test('never collides with itself, whatever it says and whoever writes it again', async () => {
    const anyAttributes = fc.dictionary(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.constantFrom(-0, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, true, null, '', '\0', '\ud800'),
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        fc.array(fc.oneof(fc.double(), fc.string()), { maxLength: 3 }),
        fc.dictionary(fc.string(), fc.double(), { maxKeys: 3 }),
      ),
      { maxKeys: 5 },
    )
    const anyPoint = fc.record({
      attributes: anyAttributes,
      resource: fc.record({ attributes: anyAttributes, schemaUrl: fc.string({ unit: 'binary' }) }),
      scope: fc.record({ name: fc.string({ unit: 'binary' }), attributes: anyAttributes }),
      unit: fc.string(),
      description: fc.string({ unit: 'binary' }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(anyPoint, { minLength: 1, maxLength: 20 }), async (fields) => {
        const points = fields.map((each, value) => point(value, each))
        // Keys in another order are the same content.
        const turned = fields.map(({ attributes, ...rest }, value) =>
          point(value, { ...rest, attributes: Object.fromEntries(Object.entries(attributes).reverse()) }),
        )
        for (const given of [points, turned]) {
          expect(await write(given)).toMatchObject({ written: given.length, deadLettered: 0 })
        }
      }),
      { numRuns: 20 },
    )
    const [doubled] = await select(
      database.databaseUrl,
      `select count(*)::int as n from (select attributes, schema_url from resources group by 1, 2 having count(*) > 1) as same`,
    )
    expect(doubled).toEqual({ n: 0 })
  })
})

describe('other content under the same id, stored beforehand, refuses the record that refers to it and no other', () => {
  const victim = decodedEntry<DataPoint>('metrics', {
    id: 1,
    records: [
      point(1, { name: 'victim', resource: { host: 'v' }, scope: { name: 'v' }, attributes: { v: 1 } }),
    ],
  }).records[0] as DataPoint
  const ids = {
    metricId: metricIdentity(victim.metric).id,
    resourceId: resourceIdentity(victim.resource).id,
    scopeId: scopeIdentity(victim.scope).id,
  }
  const seriesId = seriesIdentity({ ...ids, attributes: victim.attributes }).id

  test.each([
    [
      'resources',
      ids.resourceId,
      `insert into resources (resource_id, service, attributes) values ($1, 'other', '{}')`,
    ],
    ['scopes', ids.scopeId, `insert into scopes (scope_id, name, attributes) values ($1, 'other', '{}')`],
    ['metrics', ids.metricId, `insert into metrics (metric_id, name, type) values ($1, 'other', 'gauge')`],
    [
      'metric_series',
      seriesId,
      `insert into metric_series (series_id, metric_id, resource_id, scope_id, service, attributes)
       values ($1, 1, 2, 3, 'other', '{}')`,
    ],
  ])('in %s', async (table, id, insert) => {
    await run(insert, [id])
    const before = await select(database.databaseUrl, `select * from ${table}`)
    const same = { name: 'victim', resource: { host: 'v' }, scope: { name: 'v' }, attributes: { v: 1 } }
    const other = { name: 'fine', resource: { host: 'f' }, scope: { name: 'f' }, attributes: { f: 1 } }
    const writer = openWriter()
    await commit(writer, [point(1, same), point(2, other), point(3, same), point(4, other)])
    await commit(writer, [point(5, same), point(6, other)])
    await end(writer)
    expect(await values()).toEqual([2, 4, 6])
    expect(await letters()).toEqual(
      [1, 3, 5].map((value) => ({ value, reason: 'hash_collision', detail: expect.stringContaining(table) })),
    )
    const after = await select(database.databaseUrl, `select * from ${table} order by first_seen limit 1`)
    expect(after).toEqual(before)
  })
})

describe('new series are bounded', () => {
  const seriesOf = (name: string, from: number, to: number, service = 'api') =>
    Array.from({ length: to - from }, (_, index) =>
      point(from + index, { name, service, attributes: { user: from + index } }),
    )

  test('per metric: past the bound they are refused with that reason, those that exist and other metrics go on', async () => {
    const options = { seriesLimits: { maxPerMetric: 5, maxPerService: 1000 } }
    expect(await write(seriesOf('a', 0, 8), options)).toMatchObject({ written: 5, deadLettered: 3 })
    expect(await values()).toEqual([0, 1, 2, 3, 4])
    expect(await letters()).toMatchObject([5, 6, 7].map((value) => ({ value, reason: 'series_limit' })))
    expect((await letters())[0]?.detail).toContain('SERIES_MAX_PER_METRIC')

    expect(await write([...seriesOf('a', 0, 5), ...seriesOf('b', 0, 4)], options)).toMatchObject({
      written: 9,
    })
    expect(await write(seriesOf('a', 3, 7), options)).toMatchObject({ written: 2, deadLettered: 2 })
    expect(await count('metric_series')).toBe(9)
  })

  test('per service, over its metrics, and other services go on', async () => {
    const options = { seriesLimits: { maxPerMetric: 1000, maxPerService: 6 } }
    await write([...seriesOf('a', 0, 4), ...seriesOf('b', 10, 14), ...seriesOf('a', 20, 24, 'web')], options)
    expect(await values()).toEqual([0, 1, 2, 3, 10, 11, 20, 21, 22, 23])
    expect(await letters()).toMatchObject([12, 13].map((value) => ({ value, reason: 'series_limit' })))
    expect((await letters())[0]?.detail).toContain('SERIES_MAX_PER_SERVICE')
  })

  test('by what is stored, not by what one worker has seen', async () => {
    const options = { seriesLimits: { maxPerMetric: 5, maxPerService: 1000 } }
    await write(seriesOf('a', 0, 4), options)
    const writer = openWriter(options)
    await commit(writer, seriesOf('a', 10, 12))
    await commit(writer, seriesOf('a', 20, 22))
    await end(writer)
    expect(await values()).toEqual([0, 1, 2, 3, 10])
    expect(await count('metric_series')).toBe(5)
  })

  test('and many points of one new series count as one', async () => {
    const options = { seriesLimits: { maxPerMetric: 1, maxPerService: 1 } }
    const same = Array.from({ length: 50 }, (_, value) => point(value, { attributes: { user: 1 } }))
    expect(await write(same, options)).toMatchObject({ written: 50, deadLettered: 0 })
  })

  test('and the ledger counts what was refused as letters, once, also when it is delivered again', async () => {
    const options = { stream: 'telemetry:metrics', seriesLimits: { maxPerMetric: 2, maxPerService: 1000 } }
    const entries = seriesOf('a', 0, 5).map((each, id) => ({
      id,
      records: [each, point(100 + id, { type: 'no type' })],
    }))
    for (const attempt of [1, 2]) {
      const writer = openWriter(options)
      writer.end(decodedChunk<DataPoint>('metrics', entries))
      await once(writer, 'finish')
      expect(writer.stats()).toMatchObject(
        attempt === 1
          ? { written: 2, deadLettered: 8, duplicates: 0 }
          : { written: 0, deadLettered: 0, duplicates: 10 },
      )
    }
    await expectLedgerCounts(database.databaseUrl, 'telemetry:metrics', 'metric_points')
  })
})

describe('content that PostgreSQL refuses', () => {
  const refusedPoints = (count: number, isRefused: (n: number) => boolean) =>
    Array.from({ length: count }, (_, n) => {
      const text = `${isRefused(n) ? 'bad' : 'good'} ${n}`
      return point(n, { name: text, resource: { host: text }, scope: { name: text } })
    })

  test.each([
    ['resources', "attributes ->> 'host' not like 'bad%'"],
    ['scopes', "name not like 'bad%'"],
    ['metrics', "name not like 'bad%'"],
    ['metric_series', "attributes ->> 'n' not like 'bad%'"],
  ])('in %s refuses the records that refer to it and no other, now and later', async (table, allows) => {
    await run(`alter table ${table} add constraint no_bad check (${allows})`)
    const isRefused = (n: number) => [0, 7, 8, 19].includes(n)
    const points = refusedPoints(20, isRefused).map((each, n) => ({
      ...each,
      attributes: { n: isRefused(n) ? `bad ${n}` : n },
    }))
    const writer = openWriter()
    await commit(writer, points)
    await commit(writer, points)
    const good = points.flatMap((_, n) => (isRefused(n) ? [] : [n, n]))
    expect(await values()).toEqual(good)
    const refused = [0, 0, 7, 7, 8, 8, 19, 19]
    expect(await letters()).toEqual(
      refused.map((value) => ({
        value,
        reason: 'refused_by_database',
        detail: expect.stringContaining('no_bad'),
      })),
    )
    const seriesOfNothing = () =>
      select(
        database.databaseUrl,
        `select from metric_series left join metrics m using (metric_id) left join resources r using (resource_id)
          left join scopes s using (scope_id) where m.metric_id is null or r.resource_id is null or s.scope_id is null`,
      )
    expect(await seriesOfNothing()).toEqual([])
    await run(`alter table ${table} drop constraint no_bad`)
    await commit(writer, points)
    await end(writer)
    expect(await Promise.all([seriesOfNothing(), count('metric_series')])).toEqual([[], points.length])
    expect(await values(), 'and is interned once it may be').toEqual(
      [...good, ...points.map((_, n) => n)].sort((a, b) => a - b),
    )
  })
})

describe('what is known is forgotten', () => {
  /** As a failover to a server that lacks the last commits, or a restored backup, leaves it. */
  const loseContent = () => run('truncate resources, scopes, metrics, metric_series')

  const terminateSessions = () =>
    run(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'interned content test'`,
    )

  test('when a connection was lost while nothing was written', async () => {
    const writer = openWriter()
    await commit(writer, [point(1)])
    await terminateSessions()
    await loseContent()
    await eventually(() => expect(pool.totalCount).toBe(0))
    await commit(writer, [point(2)])
    await end(writer)
    expect(await Promise.all(['resources', 'scopes', 'metrics', 'metric_series'].map(count))).toEqual([
      1, 1, 1, 1,
    ])
  })

  test('when it was lost in the middle of a batch', async () => {
    const writer = openWriter()
    await commit(writer, [point(1)])
    const blocker = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'blocker' })
    await blocker.query('begin')
    await blocker.query('lock table metric_points in share row exclusive mode')
    writer.write([point(2)])
    await eventually(async () => {
      const waiting = await select(
        database.databaseUrl,
        `select from pg_stat_activity where datname = current_database() and query like 'copy metric_points%' and wait_event_type = 'Lock'`,
      )
      expect(waiting).toHaveLength(1)
    })
    await loseContent()
    await terminateSessions()
    await blocker.query('rollback')
    await blocker.end()
    await end(writer)
    expect(writer.stats()).toMatchObject({ written: 2 })
    expect(await Promise.all(['resources', 'scopes', 'metrics', 'metric_series'].map(count))).toEqual([
      1, 1, 1, 1,
    ])
  })

  test('and only then: content that is known costs no statement', async () => {
    const writer = openWriter()
    await commit(writer, [point(1)])
    await loseContent()
    await commit(writer, [point(2)])
    await end(writer)
    expect(await count('resources')).toBe(0)
  })
})
