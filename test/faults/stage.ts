import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import pg from 'pg'
import { Random } from '../../src/demo/random.ts'
import { migrate } from '../../src/migrate.ts'
import { createRedis, whenReady } from '../../src/redis.ts'
import { AckSampler } from './ack-sampler.ts'
import type { CampaignOptions } from './campaign-options.ts'
import { waitFor } from './deadline.ts'
import { Exporter } from './exporter.ts'
import { type Campaign, GROUP } from './fault.ts'
import { LedgerWatch } from './ledger-watch.ts'
import { Load } from './load.ts'
import { Oracle, signalOf } from './oracle.ts'
import { preparePoison } from './poison.ts'
import { OwnServers, type Servers } from './servers.ts'
import { type MountedDisk, mountSmallDisk } from './small-disk.ts'
import { Statistics } from './statistics.ts'
import { Worker } from './worker.ts'

/** Everything that a campaign has running, and how it ends. */
export interface Stage {
  readonly campaign: Campaign
  readonly ackSampler: AckSampler
  readonly statistics: Statistics
  /** What watches is at its end; the servers still run. */
  stopWatching(): Promise<void>
  close(): Promise<void>
}

const SETTLE_MAX_MS = 90_000
const READY_MAX_MS = 45_000
/** The oracle's first record is this old: all of it lies in the past, whatever the pace. */
const HOUR_NANOS = 3_600_000_000_000n

/** What a fault makes hang must not hang the campaign. */
const POOL = {
  application_name: 'fault harness',
  max: 3,
  connectionTimeoutMillis: 30_000,
  query_timeout: 60_000,
}

export async function openStage(options: CampaignOptions): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop())
      await closer().catch((error: Error) => options.tell(`closing: ${error.message}`))
  }
  try {
    return await open(options, { defer: (closer) => closers.push(closer), close })
  } catch (error) {
    await close()
    throw error
  }
}

interface Closing {
  readonly defer: (closer: () => Promise<unknown>) => void
  readonly close: () => Promise<void>
}

async function open(options: CampaignOptions, closing: Closing): Promise<Stage> {
  const { seed, signal, streamPrefix, tell } = options
  const { defer, close } = closing
  const servers = options.servers ?? (await startOwn(options, defer))
  const query = openPool(servers.databaseUrl, defer)
  const smallDisk = servers.own && (await openSmallDisk(servers.own, { query, tell, defer }))
  await migrate({ databaseUrl: servers.databaseUrl })
  await preparePoison(query)

  const oracle = new Oracle(seed, BigInt(Date.now()) * 1_000_000n - HOUR_NANOS)
  const redis = await openRedis(servers.redisUrl, 'harness', { defer, signal })
  const adder = await openRedis(servers.redisUrl, 'adder', { defer, signal })
  const workers = await startWorkers(options, { servers, oracle, defer })
  const exporter = new Exporter({
    ...{ oracle, workers, redis: adder, streamPrefix, random: new Random(seed + 3), signal },
  })
  const { entriesPerSecond } = options
  const load = new Load({ oracle, exporter, redis: adder, streamPrefix, entriesPerSecond })
  const watch = new LedgerWatch(servers.databaseUrl, oracle)
  const statistics = new Statistics(workers)
  const random = new Random(seed + 1)
  const stuck = new Set<number>()
  const campaign: Campaign = {
    ...{ random, oracle, load, exporter, workers, servers, smallDisk },
    ...{ streamPrefix, redis, query, signal, tell },
    exemptFromAckSample: (stream, ids) => ackSampler.exempt(stream, ids),
    pickWorker: () => workers[random.integer(0, workers.length - 1)] ?? fail('There are no workers'),
    settle: (timeoutMs = SETTLE_MAX_MS) => settle(campaign, stuck, timeoutMs),
  }
  const ackSampler = new AckSampler(campaign, new Random(seed + 2))
  const stopWatching = async () => {
    await Promise.all([load.stop(), exporter.stop(), ackSampler.stop(), statistics.stop()])
    await watch.stop()
  }
  defer(stopWatching)
  return { campaign, ackSampler, statistics, stopWatching, close }
}

/** One after the other would be slow: they start together, and one of them migrates. */
async function startWorkers(
  options: CampaignOptions,
  { servers, oracle, defer }: { servers: Servers; oracle: Oracle } & Pick<Closing, 'defer'>,
): Promise<Worker[]> {
  const { streamPrefix, signal, tell } = options
  const { databaseUrl, redisUrl } = servers
  const logFolder = await mkdtemp(join(tmpdir(), 'observatory-fault-logs-'))
  if (!options.keepLogs) defer(() => rm(logFolder, { recursive: true, force: true }))
  tell(`logs of the workers: ${logFolder}${servers.own ? `, servers: ${servers.own.folder}` : ''}`)
  const onDelivered = (stream: string, id: string) => oracle.noteDelivered(signalOf(stream), id)
  const workers: Worker[] = []
  for (let slot = 0; slot < options.workers; slot += 1) {
    const worker = await Worker.create({
      ...{ slot, databaseUrl, redisUrl, streamPrefix, logFolder, onDelivered, signal },
    })
    workers.push(worker)
    defer(() => worker.close())
  }
  await Promise.all(workers.map((worker) => worker.start()))
  return workers
}

/** @throws DeadlineMissed when a worker is not ready; an Error when one has ended by itself. */
export async function allReady({ workers }: Campaign): Promise<void> {
  for (const worker of workers) await worker.ready(READY_MAX_MS)
}

/** Replaces workers that have ended or hang, so that the campaign can go on after a failure. */
export async function reviveAll({ workers, load }: Campaign): Promise<void> {
  load.resume()
  for (const worker of workers) await revive(worker)
}

async function revive(worker: Worker): Promise<void> {
  worker.kill('SIGCONT')
  const isReady =
    !worker.hasExited && !worker.isDown && (await worker.get('/readyz').catch(() => undefined))?.ok
  if (isReady) return
  await worker.end('SIGKILL')
  await worker.start()
}

/** Entries that a failure has left behind are not waited for again and again; the checks at the end find them. */
async function settle(campaign: Campaign, stuck: Set<number>, timeoutMs: number): Promise<void> {
  const { oracle, redis, streamPrefix, signal } = campaign
  const mark = oracle.size
  const open = () => oracle.open(mark).filter((number) => !stuck.has(number))
  await waitFor(async () => (open().length === 0 ? true : undefined), {
    what: 'Committing all that was accepted',
    timeoutMs,
    signal,
    hint: async () => {
      const left = open()
      for (const number of left) stuck.add(number)
      const pending = await redis
        .xpending(`${streamPrefix}:logs`, GROUP)
        .catch((error: Error) => error.message)
      const ids = left.slice(0, 5).map((number) => `${oracle.of(number)?.signal} ${oracle.of(number)?.id}`)
      return `${left.length} entries are open, as ${ids.join(', ')}; XPENDING of logs says ${JSON.stringify(pending)}`
    },
  })
}

async function startOwn({ fsync }: CampaignOptions, defer: Closing['defer']) {
  const own = await OwnServers.start(fsync)
  defer(() => own.stop())
  return own.urls()
}

async function openSmallDisk(
  own: OwnServers,
  { query, tell, defer }: Pick<Campaign, 'query' | 'tell'> & Pick<Closing, 'defer'>,
): Promise<MountedDisk | undefined> {
  const disk = await mountSmallDisk(join(own.folder, 'small-disk'))
  if (disk === undefined) {
    tell('mounting is refused here: for a full disk, tables answer 53100 by a trigger instead')
    return undefined
  }
  defer(() => disk.unmount())
  await disk.useForTables(query)
  return disk
}

function openPool(connectionString: string, defer: Closing['defer']): Campaign['query'] {
  const pool = new pg.Pool({ connectionString, ...POOL })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  defer(() => pool.end())
  return async <R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
    (await pool.query<R>(text, [...values])).rows
}

async function openRedis(
  url: string,
  name: string,
  { defer, signal }: Pick<Closing, 'defer'> & { readonly signal: AbortSignal },
): Promise<Redis> {
  const redis = createRedis({ url, role: 'commands', name, onError: () => undefined })
  defer(async () => redis.disconnect())
  await whenReady(redis, signal)
  return redis
}

function fail(message: string): never {
  throw new Error(message)
}
