import { xinfo } from '../../ingest/xinfo.ts'
import { sleep, withReleasers } from '../../lifecycle.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { openClient } from '../../postgres-connection.ts'
import type { BenchSetup } from './bench-setup.ts'
import { ChildModule } from './child-module.ts'
import type { LoadProducerOptions, LoadProgress } from './load-producer.ts'
import { peakRssBytes } from './peak-rss.ts'
import { Probes } from './probes.ts'
import { ServiceProcess } from './service-process.ts'
import { startOver } from './start-over.ts'
import { percentile } from './statistics.ts'

/** From XADD until a query finds the record, under one load. Times in milliseconds. */
export interface FreshnessResult {
  /** Of the peak rate. */
  readonly share: number
  readonly wantedRowsPerSecond: number
  /** What the producer really added, which shares the processors with all else. */
  readonly addedRowsPerSecond: number
  readonly probes: number
  /** Probes that no query had found ten seconds after the load ended. */
  readonly unseen: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Entries that the service had not read when the load ended; null where Redis cannot tell. */
  readonly lagEntries: number | null
  readonly peakRssBytes: number | undefined
}

export interface FreshnessOptions {
  readonly peakRowsPerSecond: number
  readonly seconds: number
  readonly seed: number
}

export const FRESHNESS_SHARES = [0.1, 0.5, 0.9] as const

const WARM_UP_MS = 2000
const DRAIN_MS = 10_000
const FIRST_PROBE_MS = 30_000

/** Measures freshness at each share of the peak rate, with a service whose settings are all defaults. */
export async function measureFreshness(
  bench: BenchSetup,
  options: FreshnessOptions,
): Promise<readonly FreshnessResult[]> {
  const results: FreshnessResult[] = []
  for (const share of FRESHNESS_SHARES) {
    const wanted = Math.max(1, Math.round(options.peakRowsPerSecond * share))
    bench.tell(
      `freshness at ${Math.round(share * 100)} % of the peak, ${wanted} spans/s for ${options.seconds} s`,
    )
    results.push(await measureAt(bench, { ...options, share, wanted }))
  }
  return results
}

type MeasureOptions = FreshnessOptions & { readonly share: number; readonly wanted: number }

async function measureAt(bench: BenchSetup, options: MeasureOptions): Promise<FreshnessResult> {
  const { share, wanted, seconds, seed } = options
  const streamPrefix = `${bench.prefix}-fresh`
  const stream = streamKey(streamPrefix, 'traces')
  await bench.redis.unlink(stream)
  await startOver(bench, streamPrefix)
  return withReleasers(async (releasers) => {
    const service = new ServiceProcess(bench, { streamPrefix })
    releasers.defer('service', () => service.stop())
    const { databaseUrl, redisUrl, redis, stopping } = bench
    const client = await openClient({ databaseUrl, applicationName: 'observatory bench probes' })
    releasers.defer('PostgreSQL connection', () => client.end())
    // Planned while the tables are empty, the probes' query would read all of them each time, and measure itself.
    await client.query('set enable_seqscan = off')
    const probes = new Probes({ redis, client, stream, stopping })
    // The first one that is found says that the service runs.
    await probes.run({ addMs: 1, drainMs: FIRST_PROBE_MS })
    service.assertRunning()

    const load: LoadProducerOptions = { redisUrl, stream, rowsPerSecond: wanted, seed }
    const told: { readonly atMs: number; readonly added: number }[] = []
    const producer = new ChildModule<LoadProgress>('load-producer', load, ({ added }) => {
      told.push({ atMs: performance.now(), added })
    })
    releasers.defer('producer', () => producer.stop())
    await sleep(WARM_UP_MS, stopping)
    const measuring = probes.run({ addMs: seconds * 1000, drainMs: DRAIN_MS })
    const lag = sleep(seconds * 1000, stopping).then(async () => {
      producer.assertRunning()
      await producer.stop()
      return lagOf(bench, stream)
    })
    const [{ latenciesMs, unseen }, lagEntries] = await Promise.all([measuring, lag])
    service.assertRunning()
    return {
      share,
      wantedRowsPerSecond: wanted,
      addedRowsPerSecond: rateOf(told),
      probes: latenciesMs.length + unseen,
      unseen,
      p50Ms: percentile(latenciesMs, 0.5),
      p99Ms: percentile(latenciesMs, 0.99),
      maxMs: percentile(latenciesMs, 1),
      lagEntries,
      peakRssBytes: peakRssBytes(service.pid),
    }
  })
}

/** Between the first and the last time that it was told. */
function rateOf(told: readonly { readonly atMs: number; readonly added: number }[]): number {
  const [first, last] = [told[0], told.at(-1)]
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  return Math.round((last.added - first.added) / ((last.atMs - first.atMs) / 1000))
}

async function lagOf({ redis, settings }: BenchSetup, stream: string): Promise<number | null> {
  const groups = await xinfo(redis, 'GROUPS', stream)
  const lag = groups.find((group) => group.get('name') === settings.consumerGroup)?.get('lag')
  return typeof lag === 'number' ? lag : null
}
