import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorkload } from '../../src/commands/bench/workload.ts'
import { loadSettings } from '../../src/config.ts'
import { createPool } from '../../src/pool.ts'
import type { RecordFilter } from '../../src/repositories/filter.ts'
import type { Grouping } from '../../src/repositories/grouped-query.ts'
import { MetricRepository } from '../../src/repositories/metric-repository.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import { createArchiveBeforeRemoval } from '../../src/retention/archive/archive-before-removal.ts'
import { archivesWithin, readManifest } from '../../src/retention/archive/archive-manifest.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { restoreArchive } from '../../src/retention/archive/restore-archive.ts'
import { createRemovalHooks } from '../../src/retention/create-removal-hooks.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { MetricWriter } from '../../src/writers/metric-writer.ts'
import { TraceWriter } from '../../src/writers/trace-writer.ts'
import { retentionPolicy, runOnce } from '../helpers/retention-run.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

/*
 * Days of telemetry are written, rolled up, archived and dropped, and one of them comes back: at each step every count and sum is what it was.
 */

const DAY_MS = 86_400_000
const DAYS = 8
const KEPT_DAYS = 3
const ROWS_A_DAY = 60
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS
const FIRST = TODAY - (DAYS - 1) * DAY_MS
const [YESTERDAY_NS, DAY_NS] = [BigInt(TODAY - DAY_MS) * 1_000_000n, BigInt(DAY_MS) * 1_000_000n]

let pool: pg.Pool
let folder: string
let statistics: StatisticsRepository
let metrics: MetricRepository

beforeAll(async () => {
  const { databaseUrl } = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'life-'))
  pool = createPool({ databaseUrl, applicationName: 'life of data test', max: 5, onError: () => undefined })
  statistics = new StatisticsRepository(pool)
  metrics = new MetricRepository(pool)
})
afterAll(async () => {
  await pool?.end()
  await rm(folder, { recursive: true, force: true })
})

/** Of one day, spread over it. */
async function writeDay(day: number): Promise<void> {
  const dayMs = FIRST + day * DAY_MS
  for (const [signal, timeKey] of [
    ['traces', 'startTimeUnixNano'],
    ['logs', 'timeUnixNano'],
  ] as const) {
    const workload = createWorkload(signal, { seed: day, rows: ROWS_A_DAY, nowMs: Date.now() })
    const records = Array.from({ length: ROWS_A_DAY }, (_row, index) => {
      const at = BigInt(dayMs + Math.floor((index * DAY_MS) / ROWS_A_DAY)) * 1_000_000n
      const { endTimeUnixNano: _, ...record } = workload.record(index) as Record<string, unknown>
      const end = signal === 'traces' && {
        endTimeUnixNano: String(at + BigInt(index % 7) * 300_000_000n + 1n),
      }
      return { ...record, [timeKey]: String(at), ...end }
    })
    const writer = signal === 'traces' ? new TraceWriter({ pool }) : new LogWriter({ pool })
    writer.end(records)
    await once(writer, 'finish')
  }
}

/** A counter that is begun anew at noon, a histogram, and a gauge, twice in every fourth hour of a day. */
async function writePoints(day: number): Promise<void> {
  const records = Array.from({ length: 12 }, (_point, index) => {
    const ms = Math.floor(index / 2) * 4 * 3_600_000 + (index % 2) * 1_800_000 + 7
    const timeUnixNano = String(BigInt(FIRST + day * DAY_MS + ms) * 1_000_000n)
    const buckets = { explicitBounds: [1, 2], bucketCounts: [index, 2 * index, 3] }
    return [
      { name: 'requests', type: 'counter', value: (index % 6) * 5 },
      { name: 'duration', type: 'histogram', count: 3 * index + 3, sum: index, ...buckets },
      { name: 'temperature', type: 'gauge', value: index % 7 },
    ].map((point) => ({ ...point, timeUnixNano, service: 'bot' }))
  })
  const writer = new MetricWriter({ pool })
  writer.end(records.flat())
  await once(writer, 'finish')
}

const rollUp = () => rollUpAll(pool, Math.floor((TODAY + 2 * DAY_MS) / 60_000))

async function answers(filter: Partial<RecordFilter> = {}): Promise<unknown> {
  const signal = new AbortController().signal
  const questions: [typeof LLM_USAGE, Grouping][] = [
    [LLM_USAGE, { by: ['model', 'provider'], step: DAY_NS }],
    [SPAN_STATISTICS, { by: ['service', 'name', 'status'], step: undefined }],
    [SPAN_STATISTICS, { by: [], step: DAY_NS / 24n }],
    [LOG_LEVELS, { by: ['service', 'level'], step: DAY_NS }],
  ]
  const all = []
  for (const [source, grouping] of questions)
    all.push(
      await (
        await statistics.streamGroups(source, { limit: null, ...filter }, { ...grouping, signal })
      ).toArray(),
    )
  for (const [name, aggregates] of [
    ['requests', ['increase', 'last', 'count']],
    ['duration', ['p50', 'count', 'sum']],
    ['temperature', ['avg', 'min', 'max', 'last']],
  ] as const)
    for (const step of [DAY_NS, DAY_NS / 24n, undefined]) {
      const query = { name, aggregates, by: ['service'], step, limit: null, conditions: filter }
      all.push(await (await metrics.queryMetric(query, signal))?.toArray())
    }
  return all
}

const countOf = async (table: string) =>
  Number((await pool.query(`select count(*) from ${table}`)).rows[0].count)

test('rolled up, archived, dropped and restored, telemetry counts as it did', async () => {
  for (let day = 0; day < DAYS; day += 1) {
    await writeDay(day)
    await writePoints(day)
  }
  const written = await answers()
  expect(await countOf('spans')).toBe(DAYS * ROWS_A_DAY)
  await rollUp()
  expect(await answers()).toEqual(written)

  const { settings } = loadSettings({ env: { ARCHIVE_URL: folder } })
  const options = {
    nowMs: TODAY + DAY_MS - 1,
    hooks: createRemovalHooks(pool, createArchiveBeforeRemoval(pool, settings)),
  }
  const policy = retentionPolicy({ traces: KEPT_DAYS, logs: KEPT_DAYS, metrics: KEPT_DAYS })
  const { outcome, events } = await runOnce(pool, policy, options)
  expect([outcome, events.filter(({ kind }) => kind === 'failed' || kind === 'heldUp')]).toEqual([
    'finished',
    [],
  ])
  const left = await countOf('spans')
  expect(left).toBeLessThanOrEqual((KEPT_DAYS + 1) * ROWS_A_DAY)
  expect(left).toBeGreaterThanOrEqual(KEPT_DAYS * ROWS_A_DAY)
  expect(await answers()).toEqual(written)
  await rollUp()
  expect(await answers()).toEqual(written)

  const storage = new FolderStorage(folder)
  const day = { fromMs: FIRST + DAY_MS, toMs: FIRST + 2 * DAY_MS }
  for (const table of ['spans', 'span_contents', 'log_records', 'log_contents', 'metric_points'] as const)
    for (const { id } of await archivesWithin(storage, table, day))
      await restoreArchive({ pool, storage, partitionInterval: 'day' }, await readManifest(storage, id))
  expect(await countOf('spans')).toBe(left + ROWS_A_DAY)
  expect(await answers()).toEqual(written)
  await rollUp()
  expect(await answers()).toEqual(written)

  // Its days are counted from its restore: then it goes again.
  await runOnce(pool, policy, options)
  expect(await countOf('spans')).toBe(left + ROWS_A_DAY)
  await pool.query(`update archives set restored_at = restored_at - interval '${KEPT_DAYS + 1} days'`)
  expect((await runOnce(pool, policy, options)).outcome).toBe('finished')
  expect(await countOf('spans')).toBe(left)
  expect(await answers()).toEqual(written)
  await rollUp()
  expect(await answers()).toEqual(written)
  // What is still there is what rows say, too.
  const recent = { from: YESTERDAY_NS, to: YESTERDAY_NS + DAY_NS }
  const { rolled: _, ...ofRows } = SPAN_STATISTICS
  const grouping = { by: ['service', 'name'], step: DAY_NS, signal: new AbortController().signal }
  expect(
    await (await statistics.streamGroups(SPAN_STATISTICS, { limit: null, ...recent }, grouping)).toArray(),
  ).toEqual(await (await statistics.streamGroups(ofRows, { limit: null, ...recent }, grouping)).toArray())
})
