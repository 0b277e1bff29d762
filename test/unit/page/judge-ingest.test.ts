import { describe, expect, test } from 'vitest'
import { registerGauges } from '../../../src/metrics/register-gauges.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { type IngestReading, ingestReading } from '../../../src/page/health/ingest-reading.ts'
import { judgeIngest } from '../../../src/page/health/judge-ingest.ts'
import { METRIC_SOURCES } from '../../helpers/metric-sources.ts'

const START: IngestReading = {
  atMs: 0,
  recordsWritten: 1000,
  deadLetters: 0,
  entriesRead: 100,
  lagEntries: 0,
  pendingEntries: 0,
  delaySeconds: 5,
  batches: 10,
  isIngesting: true,
}
const READY = { ready: true, problems: [] }
const later = (change: Partial<IngestReading>) => ({ ...START, atMs: 2000, ...change })

describe('the verdict on ingest', () => {
  test('is that it keeps up when what comes is read at once, with the rate and the delay', () => {
    const now = later({ recordsWritten: 1400, entriesRead: 140, delaySeconds: 6, batches: 14 })
    expect(judgeIngest(START, now, READY)).toMatchObject({
      state: 'ok',
      recordsPerSecond: 200,
      delaySeconds: 0.25,
    })
    expect(judgeIngest(START, later({}), READY)).toMatchObject({ state: 'ok', recordsPerSecond: 0 })
  })

  test('is that it is behind when what waits takes long at this speed, or waited long', () => {
    const busy = { ...START, lagEntries: 90_000 }
    const now = later({ entriesRead: 2100, lagEntries: 88_000 })
    expect(judgeIngest(busy, now, READY)).toMatchObject({ state: 'behind' })
    const slow = later({ delaySeconds: 65, batches: 12 })
    expect(judgeIngest(START, slow, READY)).toMatchObject({ state: 'behind', delaySeconds: 30 })
    const quick = later({ entriesRead: 2100, lagEntries: 50 })
    expect(judgeIngest({ ...START, lagEntries: 60 }, quick, READY)).toMatchObject({ state: 'ok' })
  })

  test('is that it does not read when entries wait and none is read, or it says so itself', () => {
    const waiting = { ...START, lagEntries: 7 }
    expect(judgeIngest(waiting, later({ lagEntries: 9 }), READY)).toMatchObject({ word: 'not reading' })
    const problems = ['ingest of logs: the schema does not fit']
    expect(judgeIngest(START, later({}), { ready: false, problems })).toMatchObject({
      word: 'not reading',
      detail: problems[0],
    })
    const away = { ready: false, problems: ['PostgreSQL: away'] }
    expect(judgeIngest(START, later({}), away)).toMatchObject({ word: 'not ready', state: 'stopped' })
  })

  test('of a process that only answers queries goes by the stream alone', () => {
    const before = { ...START, isIngesting: false, lagEntries: 10 }
    const falling = later({ isIngesting: false, lagEntries: 5 })
    expect(judgeIngest(before, falling, READY)).toMatchObject({ state: 'ok', recordsPerSecond: undefined })
    const growing = later({ isIngesting: false, lagEntries: 20 })
    expect(judgeIngest(before, growing, READY)).toMatchObject({ state: 'behind' })
  })

  test('survives a service that was started again, and counts from zero', () => {
    const now = later({ recordsWritten: 100, entriesRead: 10, delaySeconds: 1, batches: 2 })
    expect(judgeIngest(START, now, READY)).toMatchObject({ recordsPerSecond: 50, delaySeconds: 0.5 })
  })
})

test('the page reads the metrics that the service really has', async () => {
  const metrics = createMetrics()
  registerGauges(metrics, {
    ...METRIC_SOURCES,
    groupStates: async () =>
      new Map([
        ['logs', { lag: 3, pending: 2, oldestPendingSeconds: 1 }],
        ['traces', { lag: 4, pending: 0, oldestPendingSeconds: 0 }],
      ]),
  })
  metrics.recordsWritten.inc({ signal: 'logs' }, 5)
  metrics.recordsWritten.inc({ signal: 'traces' }, 2)
  metrics.recordsDeadLettered.inc({ signal: 'logs', reason: 'bad_id' }, 1)
  metrics.entriesRead.inc({ signal: 'logs' }, 6)
  metrics.ingestSeconds.observe({ signal: 'logs' }, 0.5)
  expect(ingestReading(await metrics.registry.metrics(), 7)).toEqual({
    atMs: 7,
    recordsWritten: 7,
    deadLetters: 1,
    entriesRead: 6,
    lagEntries: 7,
    pendingEntries: 2,
    delaySeconds: 0.5,
    batches: 1,
    isIngesting: true,
  })
})
