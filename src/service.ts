import type { Redis } from 'ioredis'
import type pg from 'pg'
import { createGuard } from './http/access/create-guard.ts'
import { RateLimiter } from './http/access/rate-limiter.ts'
import { OtlpReceiver } from './http/otlp/otlp-receiver.ts'
import { WriteBarrier } from './http/otlp/write-barrier.ts'
import { readinessCheck } from './http/readiness.ts'
import { buildServer, closeServer, listen } from './http/server.ts'
import type { GroupOfStream } from './ingest/consumer-group.ts'
import { ConsumerLease, LEASE_MS } from './ingest/consumer-lease.ts'
import { readGroupStates } from './ingest/group-state.ts'
import { InFlight } from './ingest/in-flight.ts'
import { IngestWorker } from './ingest/ingest-worker.ts'
import { StreamKeeper } from './ingest/stream-keeper.ts'
import { createReleasers, type Releasers } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import type { CacheOutcome } from './metrics/cache-outcome.ts'
import { registerGauges } from './metrics/register-gauges.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { migrate } from './migrate.ts'
import type { DataPoint } from './models/data-point.ts'
import type { LogRecord } from './models/log-record.ts'
import type { PriceList } from './models/prices/price-list.ts'
import type { Privacy } from './models/privacy/privacy.ts'
import type { RecordLimits } from './models/record-limits.ts'
import type { Span } from './models/span.ts'
import { streamKey } from './models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from './models/telemetry-signal.ts'
import { ByteBudget } from './producer/byte-budget.ts'
import { readPrices } from './read-prices.ts'
import { readPrivacy } from './read-privacy.ts'
import { openRevivedRedis, type RedisRole, redisSafetyWarnings, whenReady } from './redis.ts'
import { DeadLetterRepository } from './repositories/dead-letter-repository.ts'
import { EvaluationRepository } from './repositories/evaluation-repository.ts'
import { LogRecordRepository } from './repositories/log-record-repository.ts'
import { MetricRepository } from './repositories/metric-repository.ts'
import { ResultCache } from './repositories/result-cache.ts'
import { ServiceRepository } from './repositories/service-repository.ts'
import { SessionRepository } from './repositories/session-repository.ts'
import { StatisticsRepository } from './repositories/statistics-repository.ts'
import { TraceRepository } from './repositories/trace-repository.ts'
import { createRemovalHooks } from './retention/create-removal-hooks.ts'
import { FreezeKeeper } from './retention/freeze-keeper.ts'
import { IndexKeeper } from './retention/index-keeper.ts'
import { PartitionKeeper } from './retention/partition-keeper.ts'
import { Partitions } from './retention/partitions.ts'
import { RetentionKeeper } from './retention/retention-keeper.ts'
import { readRetentionPolicy } from './retention/retention-policy.ts'
import { RollupKeeper } from './retention/rollups/rollup-keeper.ts'
import { ServicePools } from './service-pools.ts'
import type { Settings } from './settings.ts'
import { sharedRead } from './shared-read.ts'
import { createTails, type SignalTails } from './tail/create-tails.ts'
import { waitForPostgres } from './wait-for-postgres.ts'
import { waitForRedis } from './wait-for-redis.ts'
import { Interner } from './writers/interner.ts'
import { LogWriter } from './writers/log-writer.ts'
import { MetricWriter } from './writers/metric-writer.ts'
import type { TelemetryWriter, TelemetryWriterOptions } from './writers/telemetry-writer.ts'
import { TraceWriter } from './writers/trace-writer.ts'

/** What a process does: `ingest` the consumers and maintenance, `api` all of HTTP; `/metrics` and the probes are always there. */
export type Role = 'ingest' | 'api'

export interface ServiceOptions {
  readonly settings: Settings & { readonly databaseUrl: string; readonly redisUrl: string }
  readonly roles: readonly Role[]
  readonly logger: Logger
  /** Ends waiting for the servers at start. */
  readonly stopping: AbortSignal
  /** Its `appendfsync everysec` is our own choice, which whoever starts it has told: no warning then. */
  readonly hasEmbeddedRedis?: boolean
}

/** A running service. */
export interface Service {
  readonly url: string
  /** What `GET /metrics` answers, for who is in the same process. */
  readMetrics(): Promise<string>
  /** Stops reading, commits and acknowledges what was read, then closes everything. Calling it again returns the same promise. */
  stop(): Promise<void>
}

/** A consumer that holds nothing is forgotten after this long; with a longer RECLAIM_MIN_IDLE_MS, after that. */
const DEAD_CONSUMER_IDLE_MS = 600_000

/** How long a scrape waits for what Redis tells of the groups, and for whether the service is ready. */
const SCRAPE_WAIT_MS = 1000

/** Starts a service. Whatever it had opened is closed again when the start fails. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const releasers = createReleasers()
  try {
    const { url, metrics } = await start(options, releasers)
    return { url, readMetrics: () => metrics.registry.metrics(), stop: () => releasers.release() }
  } catch (error) {
    await releasers.release().catch(() => undefined)
    throw error
  }
}

/** Opened in this order, closed in the reverse one: ingest drains first, while everything it needs is still there. */
async function start(
  options: ServiceOptions,
  releasers: Releasers,
): Promise<{ readonly url: string; readonly metrics: Metrics }> {
  const { settings, roles, logger, stopping } = options
  const metrics = createMetrics()
  const prices = roles.includes('ingest') ? readPrices(settings.pricesFile) : undefined
  const privacy = readPrivacy(settings)
  const inFlight = new InFlight(
    settings.inFlightMaxBytes,
    TELEMETRY_SIGNALS.map((signal) => groupOf(settings, signal).stream),
  )
  const pools = new ServicePools(options, releasers)
  const operations = pools.open('operations')
  const commands = openRedis(options, releasers, 'commands')
  const state: ServiceState = {
    phase: 'starting',
    stoppedAtMs: undefined,
    workers: new Map(),
    partitionKeeper: undefined,
  }

  const otlp = roles.includes('api')
    ? { ...createReceiver(options, releasers), bodies: new ByteBudget(settings.otlpInFlightMaxBytes) }
    : undefined
  const api = roles.includes('api') ? pools.open('api') : undefined
  const tails = api && openTails(options, { releasers, commands, pool: api, metrics, privacy })
  const readiness = readinessCheck({
    phase: () => state.phase,
    pool: operations,
    redis: commands,
    workers: state.workers,
  })
  const readinessOfScrape = sharedRead(readiness, SCRAPE_WAIT_MS)
  registerGauges(metrics, {
    tails: tails && {
      watchers: (signal) => tails[signal].watchers,
      dropped: (signal) => tails[signal].dropped,
    },
    otlpBodies: otlp?.bodies,
    inFlight: (signal) => ({
      ...inFlight.of(streamKey(settings.streamPrefix, signal)),
      records: state.workers.get(signal)?.recordsInFlight ?? 0,
    }),
    inFlightLimitBytes: () => inFlight.limitBytes,
    backpressurePausedSeconds: () => inFlight.pausedMs / 1000,
    unpricedCalls: prices && (() => prices.unpriced),
    pools: () => pools.stats(),
    groupStates: sharedRead(
      () => readGroupStates(commands, (signal) => groupOf(settings, signal)),
      SCRAPE_WAIT_MS,
    ),
    isReady: async () => (await readinessOfScrape())?.ready ?? false,
    partitionsAhead: () => state.partitionKeeper?.ahead(),
  })
  const http = buildServer({
    logger,
    guard: createGuard(settings, logger),
    limits: settings,
    metrics,
    readiness,
    repositories: api && createRepositories(api, createCache(options, { commands, metrics })),
    tail: tails && { tails, maxWatchers: settings.tailMaxWatchers },
    otlp: otlp && {
      receiver: otlp.receiver,
      body: { maxBytes: settings.otlpMaxBodyBytes, inFlight: otlp.bodies },
    },
  })
  releasers.defer('HTTP server', () => closeServer(http, graceOf(settings, state)))
  // The port comes first: when it is taken, nothing has been done yet.
  const url = await listen(http, { host: settings.httpHost, port: settings.httpPort })

  const timeoutMs = settings.startupTimeoutMs
  await Promise.all([
    waitForPostgres({ databaseUrl: settings.databaseUrl, timeoutMs, signal: stopping, log: logger }),
    waitForRedis({ url: settings.redisUrl, timeoutMs, signal: stopping, log: logger }),
  ])
  await migrate({ databaseUrl: settings.databaseUrl, log: logger, signal: stopping })
  await whenReady(commands, stopping)
  await otlp?.barrier?.check(stopping)
  if (prices !== undefined)
    await startIngest(options, { releasers, pools, metrics, inFlight, commands, state, prices, privacy })
  state.phase = 'running'
  // Before ingest drains: whoever watches goes to another process at once.
  if (tails !== undefined)
    releasers.defer('tails', () => Promise.all(Object.values(tails).map((tail) => tail.close())))
  releasers.defer('readiness', () => {
    state.phase = 'stopping'
    state.stoppedAtMs = performance.now()
  })
  logger.info({ url, roles }, 'started')
  return { url, metrics }
}

interface ServiceState {
  phase: 'starting' | 'running' | 'stopping'
  /** When it was asked to stop, in milliseconds of `performance.now()`. */
  stoppedAtMs: number | undefined
  partitionKeeper: PartitionKeeper | undefined
  readonly workers: Map<TelemetrySignal, Pick<IngestWorker<object>, 'problem' | 'recordsInFlight' | 'stop'>>
}

/** Of the time that stopping may take, what answers that run may have: the rest is for what is closed after them. */
const ANSWERS_SHARE = 0.75

/** How long answers that run may still take, in milliseconds. */
function graceOf({ shutdownTimeoutMs }: Settings, { stoppedAtMs }: ServiceState): number {
  const stoppingForMs = stoppedAtMs === undefined ? 0 : performance.now() - stoppedAtMs
  return shutdownTimeoutMs * ANSWERS_SHARE - stoppingForMs
}

interface IngestNeeds {
  readonly releasers: Releasers
  readonly pools: ServicePools
  readonly metrics: Metrics
  readonly inFlight: InFlight
  readonly commands: Redis
  readonly state: ServiceState
  readonly prices: PriceList
  readonly privacy: Privacy
}

/** Starts one worker a signal, and the maintenance they need. */
async function startIngest(options: ServiceOptions, needs: IngestNeeds): Promise<void> {
  const { settings, logger } = options
  const { releasers, commands, state } = needs
  for (const { setting, value, advice } of await redisSafetyWarnings(commands)) {
    if (options.hasEmbeddedRedis && setting === 'appendfsync' && value === 'everysec') continue
    logger.warn({ setting, value }, `Redis can lose what it accepted: ${advice}`)
  }
  const pool = needs.pools.open('ingest')
  const partitions = new Partitions({ pool, interval: settings.partitionInterval })
  await partitions.ensureAhead(settings.partitionsAhead)
  const keeper = new PartitionKeeper({ partitions, ahead: settings.partitionsAhead, logger })
  state.partitionKeeper = keeper
  releasers.defer('partition keeper', () => keeper.stop())
  keepPartitions(options, needs)
  const { seriesMaxPerMetric: maxPerMetric, seriesMaxPerService: maxPerService } = settings
  const interner = new Interner({ maxPerMetric, maxPerService })
  const lease = await takeLease(options, needs)
  const isAlive = (consumer: string) => lease.isAlive(consumer)

  const startWorker = <T extends object>(
    signal: TelemetrySignal,
    createWriter: (options: TelemetryWriterOptions<T>) => TelemetryWriter<T>,
  ) => {
    const reader = openRedis(options, releasers, 'blocking')
    const worker = new IngestWorker<T>({
      ...needs,
      ...groupOf(settings, signal),
      signal,
      createWriter,
      pool,
      reader,
      partitions,
      interner,
      consumer: lease.name,
      logger,
      read: { maxCount: settings.readCount, blockMs: settings.readBlockMs },
      claim: { minIdleMs: settings.reclaimMinIdleMs, isAlive },
      // Before its lease ends, no process counts as gone.
      frozenAfterMs: Math.max(settings.reclaimMinIdleMs, LEASE_MS),
      write: {
        maxRows: settings.batchMaxRows,
        maxBytes: settings.batchMaxBytes,
        maxAgeMs: settings.batchMaxAgeMs,
        concurrency: settings.writeConcurrency,
        deadLetterPayload: settings.deadLetterPayload,
        privacy: needs.privacy,
        recordLimits: recordLimitsOf(settings),
      },
    })
    state.workers.set(signal, worker)
  }
  startWorker<Span>('traces', (writing) => new TraceWriter({ ...writing, prices: needs.prices }))
  startWorker<DataPoint>('metrics', (writing) => new MetricWriter(writing))
  startWorker<LogRecord>('logs', (writing) => new LogWriter(writing))
  const streams = new StreamKeeper({
    redis: commands,
    pool,
    groupOf: (signal) => groupOf(settings, signal),
    isAlive,
    keepEntries: settings.streamKeepEntries,
    ledgerKeepDays: settings.ledgerKeepDays,
    deadConsumerIdleMs: Math.max(settings.reclaimMinIdleMs, DEAD_CONSUMER_IDLE_MS),
    metrics: needs.metrics,
    logger,
  })
  releasers.defer('stream keeper', () => streams.stop())
  releasers.defer('ingest', () => Promise.all([...state.workers.values()].map((worker) => worker.stop())))
}

/** What becomes of partitions whose time is over: indexes, a vacuum, and how long they stay. */
function keepPartitions(
  { settings, logger }: ServiceOptions,
  { pools, releasers, metrics }: IngestNeeds,
): void {
  const pool = pools.open('maintenance')
  const { indexPartitions: partitions } = settings
  if (partitions !== 'off') {
    const indexes = new IndexKeeper({ pool, partitions, metrics, logger })
    releasers.defer('index keeper', () => indexes.stop())
  }
  const rollups = new RollupKeeper({ pool, metrics, logger })
  releasers.defer('rollup keeper', () => rollups.stop())
  const freezing = new FreezeKeeper({ pool, isIndexed: partitions !== 'off', metrics, logger })
  releasers.defer('freeze keeper', () => freezing.stop())
  const policy = readRetentionPolicy(settings)
  const retention = new RetentionKeeper({
    pool,
    policy,
    hooks: createRemovalHooks(pool, settings),
    metrics,
    logger,
  })
  releasers.defer('retention', () => retention.stop())
}

async function takeLease({ settings, logger }: ServiceOptions, needs: IngestNeeds): Promise<ConsumerLease> {
  const lease = await ConsumerLease.acquire(needs.commands, {
    prefix: settings.streamPrefix,
    group: settings.consumerGroup,
    name: settings.consumerName,
    onError: (error) => logger.warn({ err: error }, 'keeping the lease of the consumer name failed'),
  })
  needs.releasers.defer('consumer name', () => lease.release())
  return lease
}

function groupOf(settings: Settings, signal: TelemetrySignal): GroupOfStream {
  return { stream: streamKey(settings.streamPrefix, signal), group: settings.consumerGroup }
}

function recordLimitsOf(settings: Settings): RecordLimits {
  return {
    acceptPastDays: settings.acceptPastDays,
    acceptFutureDays: settings.acceptFutureDays,
    maxRecordBytes: settings.recordMaxBytes,
    maxDepth: settings.recordMaxDepth,
  }
}

/** On a connection of its own: bodies of megabytes must not hold up what ingest asks of Redis. */
function createReceiver(options: ServiceOptions, releasers: Releasers) {
  const { settings, logger } = options
  const redis = openRedis(options, releasers, 'commands')
  const barrier = createBarrier(options, { releasers, writes: redis })
  const receiver = new OtlpReceiver({
    redis,
    barrier,
    streamPrefix: settings.streamPrefix,
    streamMaxEntries: settings.streamKeepEntries + settings.otlpBacklogMaxEntries,
    recordLimits: recordLimitsOf(settings),
    serviceLimiter:
      settings.otlpServiceRateLimit > 0 ? new RateLimiter(settings.otlpServiceRateLimit) : undefined,
    onError: (error, signal) => logger.warn({ err: error, signal }, 'Redis did not take an export request'),
  })
  return { receiver, barrier }
}

function createBarrier(
  options: ServiceOptions,
  { releasers, writes }: { readonly releasers: Releasers; readonly writes: Redis },
): WriteBarrier | undefined {
  const { otlpDurability: durability, streamPrefix } = options.settings
  if (durability === 'memory') return undefined
  const redis = openRedis(options, releasers, 'commands')
  const barrier = new WriteBarrier({ durability, redis, writes, key: `${streamPrefix}:written` })
  releasers.defer('write barrier', () => barrier.close())
  return barrier
}

interface TailNeeds extends Pick<IngestNeeds, 'releasers' | 'commands' | 'metrics' | 'privacy'> {
  readonly pool: pg.Pool
}

function openTails(options: ServiceOptions, { releasers, ...needs }: TailNeeds): SignalTails {
  const { settings, logger } = options
  return createTails({
    ...needs,
    logger,
    streamPrefix: settings.streamPrefix,
    recordLimits: recordLimitsOf(settings),
    connect: () => connectRedis(options, 'blocking'),
  })
}

function createCache(
  { settings }: ServiceOptions,
  { commands, metrics }: Pick<IngestNeeds, 'commands' | 'metrics'>,
): ResultCache | undefined {
  const { resultCacheMaxBytes: maxBytes, streamPrefix: prefix } = settings
  if (maxBytes === 0) return undefined
  const onOutcome = (outcome: CacheOutcome) => metrics.cachedAnswers.inc({ outcome })
  return new ResultCache({ redis: commands, prefix, maxBytes, onOutcome })
}

function createRepositories(pool: pg.Pool, cache: ResultCache | undefined) {
  return {
    traces: new TraceRepository(pool),
    logRecords: new LogRecordRepository(pool),
    metrics: new MetricRepository(pool, cache),
    deadLetters: new DeadLetterRepository(pool),
    evaluations: new EvaluationRepository(pool),
    services: new ServiceRepository(pool),
    sessions: new SessionRepository(pool),
    statistics: new StatisticsRepository(pool, cache),
  }
}

function openRedis(options: ServiceOptions, releasers: Releasers, role: RedisRole): Redis {
  const { redis, close } = connectRedis(options, role)
  releasers.defer(`Redis connection (${role})`, close)
  return redis
}

function connectRedis(
  { settings, logger }: ServiceOptions,
  role: RedisRole,
): { readonly redis: Redis; readonly close: () => void } {
  return openRevivedRedis({
    url: settings.redisUrl,
    role,
    name: settings.consumerGroup,
    onError: (error) => logger.warn({ err: error }, 'a Redis connection failed; connecting again'),
  })
}
