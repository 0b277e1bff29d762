import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { boundStreams, eraseEntries } from '../../src/ingest/erase-entries.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { type Finished, runObservatory } from '../helpers/run-observatory.ts'
import { testRedisUrl } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { ANN, BOB, type PersonRecords, recordsOf, tablesWith, traceOf } from '../helpers/two-people.ts'

/*
 * A service runs, and telemetry of two people has come to it over Redis.
 */

const person = { users: [BOB.name], sessions: [], traceIds: [] }
const NOW = Date.now() - 3_600_000
let service: TestService

beforeAll(async () => {
  service = await startTestService({ BATCH_MAX_AGE_MS: '20', READ_BLOCK_MS: '200' })
  for (const person of [ANN, BOB]) await add(recordsOf(person, NOW))
  await settled()
})
afterAll(() => service?.close())

/** Each record as an entry of its own, and a pair of entries that hold records of both. */
async function add(records: PersonRecords): Promise<void> {
  for (const [signal, list] of Object.entries(records))
    for (const record of list as object[])
      await service.redis.xadd(`${service.prefix}:${signal}`, '*', 'json', JSON.stringify(record))
}

/** Everything was ingested and acknowledged. */
async function settled(): Promise<void> {
  await eventually(async () => {
    for (const signal of ['traces', 'logs', 'metrics']) {
      const groups = (await service.redis.xinfo('GROUPS', `${service.prefix}:${signal}`)) as unknown[][]
      const fields = new Map(groups[0]?.map((name, index) => [name, groups[0]?.[index + 1]]))
      expect([fields.get('lag'), fields.get('pending')]).toEqual([0, 0])
    }
  })
}

function observatory(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const servers = {
    DATABASE_URL: service.databaseUrl,
    REDIS_URL: testRedisUrl(),
    STREAM_PREFIX: service.prefix,
  }
  return runObservatory(args, { env: { ...servers, ...env } })
}

/** All entries of all streams, as text. */
async function entries(): Promise<string[]> {
  const all: string[] = []
  for (const signal of ['traces', 'logs', 'metrics'])
    for (const entry of await service.redis.xrange(`${service.prefix}:${signal}`, '-', '+'))
      all.push(JSON.stringify(entry))
  return all
}

/** The sessions of ingest. */
async function writerPids(): Promise<readonly number[]> {
  const rows = await service.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'observatory:ingest' and datname = current_database()`,
  )
  return rows.map(({ pid }) => pid)
}

async function found(text: string): Promise<readonly string[]> {
  const pool = createPool({
    databaseUrl: service.databaseUrl,
    applicationName: 'test',
    max: 1,
    onError: () => undefined,
  })
  try {
    return await tablesWith(pool, text)
  } finally {
    await pool.end()
  }
}

describe('observatory erase', () => {
  test('asks before it does anything, and whose', async () => {
    expect(await observatory(['erase'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--user') })
    const refused = await observatory(['erase', '--user', ANN.name])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    expect(await observatory(['erase', '--trace', 'abc'])).toMatchObject({ code: 2 })
    const told = await observatory(['erase', '--user', ANN.name, '--dry-run', '--json'])
    expect(told.code, told.stderr).toBe(0)
    expect(JSON.parse(told.stdout)).toMatchObject({
      dryRun: true,
      rows: { spans: 2, log_records: 3, metric_points: 1 },
      letters: 1,
      entries: { erased: 8, left: 0 },
    })
    expect(await found(ANN.mark)).not.toEqual([])
  })

  test('beside a service takes rows, letters and entries of one, and the audit finds nothing amiss', async () => {
    const entriesBefore = await entries()
    const writers = await writerPids()
    expect(writers).not.toEqual([])
    const erased = await observatory(['erase', '--user', ANN.name, '--yes'])
    expect(erased.code, erased.stderr + erased.stdout).toBe(0)
    expect(erased.stdout).toMatch(/spans +2\n/)
    // They knew a series that is gone.
    expect((await writerPids()).filter((pid) => writers.includes(pid))).toEqual([])
    expect(await found(ANN.mark)).toEqual([])
    expect(await entries()).toEqual(entriesBefore.filter((entry) => !entry.includes(ANN.mark)))
    expect(entriesBefore.length - (await entries()).length).toBe(8)
    const audited = await observatory(['audit'])
    expect(audited.code, audited.stdout).toBe(0)
    // Once more there is nothing.
    const again = await observatory(['erase', '--user', ANN.name, '--yes', '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({
      finished: true,
      entries: { erased: 0, left: 0 },
      letters: 0,
    })
  })

  test('leaves entries that were ingested after it had begun to look: their rows were not found', async () => {
    const [ofBob] = recordsOf(BOB, NOW).traces
    await service.redis.xadd(`${service.prefix}:traces`, '*', 'json', JSON.stringify(ofBob))
    await settled()
    const client = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'test' })
    try {
      const streams = [
        { signal: 'traces' as const, stream: `${service.prefix}:traces`, group: 'observatory' },
      ]
      const { signal } = new AbortController()
      const now = await boundStreams(service.redis, streams, {
        waitMs: 0,
        signal,
        onWaiting: () => undefined,
      })
      const context = {
        client,
        person,
        storage: undefined,
        dryRun: true,
        signal,
        onProgress: () => undefined,
      }
      expect(await eraseEntries(service.redis, now, context)).toEqual({ erased: 3, left: 0 })
      const early = now.map((stream) => ({ ...stream, ingestedId: { ms: 0n, seq: 0n } }))
      expect(await eraseEntries(service.redis, early, { ...context, dryRun: false })).toEqual({
        erased: 0,
        left: 3,
      })
    } finally {
      await client.end()
    }
  })

  test('lets what is sent afterwards in, and its series are there again', async () => {
    const [ofAnn] = recordsOf(ANN, NOW + 60_000).metrics
    await service.redis.xadd(`${service.prefix}:metrics`, '*', 'json', JSON.stringify(ofAnn))
    await eventually(async () => {
      const rows = await service.query(`select from point_view where attributes ->> 'user.id' = $1`, [
        ANN.name,
      ])
      expect(rows).toHaveLength(1)
    })
  })

  test('leaves entries that wait to be ingested, says so, and takes them when they were', async () => {
    const trace = traceOf(ANN, NOW + 120_000)
    await settled()
    await service.service.stop()
    await add(recordsOf(ANN, NOW + 120_000))
    const flags = ['erase', '--user', ANN.name, '--yes', '--wait', '0']
    const waits = await observatory(flags)
    expect(waits).toMatchObject({ code: 1, stdout: expect.stringContaining('8 entries that hold something') })
    expect((await service.query('select from erasures where finished_at is null')).length).toBe(1)
    expect((await observatory(['doctor'])).stdout).toMatch(/Erasures.*begun and not ended/)
    const other = await startTestService(
      { BATCH_MAX_AGE_MS: '20', READ_BLOCK_MS: '200' },
      { beside: service },
    )
    try {
      const done = await observatory(['erase', '--user', ANN.name, '--yes'])
      expect(done.code, done.stderr + done.stdout).toBe(0)
    } finally {
      await other.close()
    }
    expect(await found(trace)).toEqual([])
    expect(await found(ANN.mark)).toEqual([])
    expect((await entries()).filter((entry) => entry.includes(ANN.mark))).toEqual([])
    expect(await service.query('select from erasures where finished_at is null')).toEqual([])
  })
})
