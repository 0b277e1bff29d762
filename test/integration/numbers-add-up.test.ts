import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { clientIdsOfThisFile } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const LOAD_MS = 6000
const FAULT_EVERY_MS = 700
const GROUP = 'observatory'

let app: TestService
beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_ROWS: '300', BATCH_MAX_AGE_MS: '30' }, { log: () => undefined })
})
afterAll(() => app?.close())

const stream = (signal: TelemetrySignal) => `${app.prefix}:${signal}`

/** What one scrape says became of the records of a signal. */
interface Account {
  readonly received: number
  readonly written: number
  readonly deadLettered: number
  readonly duplicate: number
  readonly inFlight: number
}

async function scrape(): Promise<ReadonlyMap<TelemetrySignal, Account>> {
  const text = await (await app.get('/metrics')).text()
  const sumOf = (name: string, signal: TelemetrySignal) =>
    [
      ...text.matchAll(
        new RegExp(`^observatory_records_${name}\\{[^}]*signal="${signal}"[^}]*\\} (\\S+)$`, 'gm'),
      ),
    ].reduce((sum, [, value]) => sum + Number(value), 0)
  return new Map(
    TELEMETRY_SIGNALS.map((signal) => [
      signal,
      {
        received: sumOf('received_total', signal),
        written: sumOf('written_total', signal),
        deadLettered: sumOf('dead_lettered_total', signal),
        duplicate: sumOf('duplicate_total', signal),
        inFlight: sumOf('in_flight', signal),
      },
    ]),
  )
}

/** One of ten entries is refused, and one of ten holds several records. */
async function addSome(from: number): Promise<void> {
  const pipeline = app.redis.pipeline()
  for (let n = from; n < from + 60; n += 1) {
    const record = (name: string) => ({ name, service: 'add-up', startTimeUnixNano: `${Date.now()}000000` })
    const span = {
      ...record(`span ${n}`),
      traceId: n.toString(16).padStart(32, 'a'),
      spanId: n.toString(16).padStart(16, 'b'),
    }
    pipeline.xadd(
      stream('traces'),
      '*',
      'json',
      JSON.stringify(n % 10 === 3 ? { ...span, traceId: 'none' } : span),
    )
    const log = { body: `log ${n}`, service: 'add-up' }
    pipeline.xadd(stream('logs'), '*', 'json', JSON.stringify(n % 10 === 5 ? [log, 7, log, log] : log))
    const point = { name: 'm', type: 'gauge', value: n, time: Date.now(), service: 'add-up' }
    pipeline.xadd(stream('metrics'), '*', 'json', n % 10 === 7 ? '{"broken' : JSON.stringify(point))
  }
  await pipeline.exec()
}

/** What happens to servers, one after the other. */
const FAULTS: readonly (() => Promise<unknown>)[] = [
  () =>
    app.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    ),
  async () => {
    const locker = await openClient({ databaseUrl: app.databaseUrl, applicationName: 'locker' })
    await locker.query('begin; lock table spans, log_records in exclusive mode')
    await sleep(400)
    await locker.end()
  },
  // What was acknowledged is delivered again.
  () => Promise.all(TELEMETRY_SIGNALS.map((signal) => app.redis.xgroup('SETID', stream(signal), GROUP, '0'))),
  async () => {
    for (const id of await clientIdsOfThisFile(/ name=observatory:/)) await app.redis.client('KILL', 'ID', id)
  },
]

test('received = written + dead-lettered + duplicates + in flight, in every scrape, whatever happens to PostgreSQL and Redis; and the tables say the same', async () => {
  const startedAt = performance.now()
  const runs = () => performance.now() - startedAt < LOAD_MS
  const load = (async () => {
    for (let n = 0; runs(); n += 60) {
      await addSome(n).catch(() => undefined)
      await sleep(20)
    }
  })()
  const faults = (async () => {
    for (let n = 0; runs(); n += 1) {
      await sleep(FAULT_EVERY_MS)
      await FAULTS[n % FAULTS.length]?.().catch(() => undefined)
    }
  })()
  let scrapes = 0
  let mostInFlight = 0
  const expectSum = async () => {
    for (const [signal, account] of await scrape()) {
      const { received, written, deadLettered, duplicate, inFlight } = account
      expect(written + deadLettered + duplicate + inFlight, `${signal} ${JSON.stringify(account)}`).toBe(
        received,
      )
      mostInFlight = Math.max(mostInFlight, inFlight)
    }
    scrapes += 1
  }
  while (runs()) await expectSum()
  await Promise.all([load, faults])
  await eventually(
    async () => {
      const [groups] = await Promise.all([
        Promise.all(TELEMETRY_SIGNALS.map((signal) => app.redis.xinfo('GROUPS', stream(signal)))),
        expectSum(),
      ])
      for (const [fields] of groups as [unknown[]][]) {
        const value = (name: string) => fields[fields.indexOf(name) + 1]
        expect([value('pending'), value('lag')]).toEqual([0, 0])
      }
      for (const { inFlight } of (await scrape()).values()) expect(inFlight).toBe(0)
    },
    { timeoutMs: 40_000 },
  )
  expect(scrapes).toBeGreaterThan(20)
  expect(mostInFlight).toBeGreaterThan(0)

  const tables = { traces: 'spans', metrics: 'metric_points', logs: 'log_records' }
  for (const [signal, { written, deadLettered, duplicate }] of await scrape()) {
    const [rows] = await app.query<{ n: number }>(`select count(*)::int as n from ${tables[signal]}`)
    const [letters] = await app.query<{ n: number }>(
      'select count(*)::int as n from dead_letters where signal = $1',
      [signal],
    )
    expect([signal, written, deadLettered]).toEqual([signal, rows?.n, letters?.n])
    expect(Math.min(written, deadLettered, duplicate), signal).toBeGreaterThan(0)
  }
}, 90_000)
