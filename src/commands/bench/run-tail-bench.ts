import { findFreePort } from '../../embedded/free-port.ts'
import { ObservatoryError } from '../../errors.ts'
import { sleep, withReleasers } from '../../lifecycle.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { openClient } from '../../postgres-connection.ts'
import { LINGER_MS } from '../../tail/tail-hub.ts'
import type { BenchSetup } from './bench-setup.ts'
import { checkedOutCommit } from './checked-out-commit.ts'
import { ChildModule } from './child-module.ts'
import { peakRssBytes } from './peak-rss.ts'
import { Probes } from './probes.ts'
import { ServiceProcess } from './service-process.ts'
import type { TailLoadOptions, TailLoadProgress } from './tail-load.ts'
import type { TailReport, TailRun } from './tail-report.ts'
import type { TailWatchersOptions, WatchersSeen } from './tail-watchers.ts'

export interface TailBenchOptions {
  readonly rowsPerSecond: number
  readonly watchers: number
  readonly seconds: number
  readonly rounds: number
}

/** A watcher of one of so many sees one record of a hundred. */
const SERVICES = 100
const FIRST_PORT = 44_318
const FIRST_PROBE_MS = 30_000
const DRAIN_MS = 10_000
/** Records that watchers look at, at least, when the load is over: they have kept them all. */
const LOOKED_AT_PER_MS = 100
const OPEN_TIMEOUT_MS = 60_000
const WARM_UP_SECONDS = 3
/** After the service has ended what it did for tails. */
const SETTLE_MS = 1000

/** Adds spans at a rate: with nobody who watches, with one who watches all of them, with many of whom each watches some, and so in each round; in the end with nobody again. */
export async function runTailBench(bench: BenchSetup, options: TailBenchOptions): Promise<TailReport> {
  const streamPrefix = `${bench.prefix}-tail`
  const stream = streamKey(streamPrefix, 'traces')
  return withReleasers(async (releasers) => {
    const httpPort = await findFreePort(FIRST_PORT)
    const service = new ServiceProcess(bench, { streamPrefix, role: 'all', httpPort })
    releasers.defer('service', () => service.stop())
    const { databaseUrl, redis, stopping } = bench
    const client = await openClient({ databaseUrl, applicationName: 'observatory bench probes' })
    releasers.defer('PostgreSQL connection', () => client.end())
    await client.query('set enable_seqscan = off')
    const probes = new Probes({ redis, client, stream, stopping })
    // The first one that is found says that the service runs.
    await probes.run({ addMs: 1, drainMs: FIRST_PROBE_MS })
    const url = `http://127.0.0.1:${httpPort}`
    const run = (watching: Omit<TailWatchersOptions, 'url'>, seconds = options.seconds) =>
      runOnce(bench, { ...options, seconds, stream, service, probes, watching: { url, ...watching } })
    await run({ watchers: 0 }, WARM_UP_SECONDS)
    const runs: TailRun[] = []
    for (let round = 0; round < options.rounds; round += 1) {
      runs.push(await run({ watchers: 0 }))
      runs.push(await run({ watchers: 1 }))
      runs.push(await run({ watchers: options.watchers, services: SERVICES }))
      bench.tell(`waiting ${LINGER_MS / 1000} s: the service reads on for whoever comes back`)
      await sleep(LINGER_MS + SETTLE_MS, stopping)
    }
    runs.push(await run({ watchers: 0 }))
    const { rowsPerSecond, watchers, seconds, rounds } = options
    return { commit: await checkedOutCommit(), rowsPerSecond, watchers, seconds, rounds, runs }
  })
}

interface RunOptions extends TailBenchOptions {
  readonly stream: string
  readonly service: ServiceProcess
  readonly probes: Probes
  readonly watching: TailWatchersOptions
}

async function runOnce(bench: BenchSetup, options: RunOptions): Promise<TailRun> {
  const { stream, service, probes, watching, rowsPerSecond, seconds } = options
  const { redisUrl, stopping } = bench
  bench.tell(`${rowsPerSecond} spans/s for ${seconds} s, ${watching.watchers} tails`)
  return withReleasers(async (releasers) => {
    let seen: WatchersSeen = {
      live: 0,
      records: 0,
      outOfTurn: 0,
      dropped: 0,
      gaps: 0,
      ended: 0,
      latenciesMs: [],
    }
    const latenciesMs: number[] = []
    let watchers: ChildModule<WatchersSeen> | undefined
    if (watching.watchers > 0) {
      const opened = new ChildModule<WatchersSeen>('tail-watchers', watching, (told) => {
        seen = told
        for (const latency of told.latenciesMs) latenciesMs.push(latency)
      })
      watchers = opened
      releasers.defer('watchers', () => opened.stop())
      await until(() => seen.live === watching.watchers, OPEN_TIMEOUT_MS, stopping)
    }
    const rows = Math.floor((rowsPerSecond * seconds) / SERVICES) * SERVICES
    const load: TailLoadOptions = { redisUrl, stream, rowsPerSecond, rows, services: SERVICES }
    let progress: TailLoadProgress = { added: 0, isDone: false }
    const producer = new ChildModule<TailLoadProgress>('tail-load', load, (told) => {
      progress = told
    })
    releasers.defer('producer', () => producer.stop())
    const startedMs = performance.now()
    const measuring = probes.run({ addMs: seconds * 1000, drainMs: DRAIN_MS })
    await until(() => progress.isDone, seconds * 4000, stopping)
    const tookSeconds = (performance.now() - startedMs) / 1000
    const fresh = await measuring
    watchers?.tell({ loadIsOver: true })
    const expected =
      watching.services === undefined ? rows * watching.watchers : (rows / SERVICES) * watching.watchers
    const lookingMs = DRAIN_MS + expected / LOOKED_AT_PER_MS
    await until(() => seen.records + seen.dropped >= expected, lookingMs, stopping).catch(() => undefined)
    service.assertRunning()
    const { latenciesMs: _, live: __, ...counts } = seen
    return {
      ...counts,
      watchers: watching.watchers,
      expected,
      addedRowsPerSecond: Math.round(rows / tookSeconds),
      latenciesMs,
      freshnessMs: fresh.latenciesMs,
      unseen: fresh.unseen,
      peakRssBytes: peakRssBytes(service.pid),
    }
  })
}

async function until(isThere: () => boolean, timeoutMs: number, stopping: AbortSignal): Promise<void> {
  for (const startedMs = performance.now(); !isThere(); await sleep(20, stopping)) {
    if (performance.now() - startedMs < timeoutMs) continue
    throw new ObservatoryError(
      'ERR_INGEST_STOPPED',
      `what the bench waited for did not come in ${timeoutMs} ms`,
    )
  }
}
