import { createGuard } from './http/access/create-guard.ts'
import { readinessCheck } from './http/readiness.ts'
import { buildServer, closeServer, listen } from './http/server.ts'
import { readGroupStates } from './ingest/group-state.ts'
import { InFlight } from './ingest/in-flight.ts'
import { createReleasers, type Releasers } from './lifecycle.ts'
import { registerGauges } from './metrics/register-gauges.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { migrate } from './migrate.ts'
import { streamKey } from './models/stream-entry.ts'
import { TELEMETRY_SIGNALS } from './models/telemetry-signal.ts'
import { ByteBudget } from './producer/byte-budget.ts'
import { readPrices } from './read-prices.ts'
import { readPrivacy } from './read-privacy.ts'
import { whenReady } from './redis.ts'
import { createCache } from './service/create-cache.ts'
import { createReceiver } from './service/create-receiver.ts'
import { createRepositories } from './service/create-repositories.ts'
import { groupOf } from './service/group-of.ts'
import { openRedis } from './service/open-redis.ts'
import { openTails } from './service/open-tails.ts'
import type { ServiceOptions } from './service/service-options.ts'
import type { ServiceState } from './service/service-state.ts'
import { startIngest } from './service/start-ingest.ts'
import { ServicePools } from './service-pools.ts'
import type { Settings } from './settings.ts'
import { sharedRead } from './shared-read.ts'
import { waitForPostgres } from './wait-for-postgres.ts'
import { waitForRedis } from './wait-for-redis.ts'

export type { Role, ServiceOptions } from './service/service-options.ts'

/** A running service. */
export interface Service {
  readonly url: string
  /** What `GET /metrics` answers, for who is in the same process. */
  readMetrics(): Promise<string>
  /** Stops reading, commits and acknowledges what was read, then closes everything. Calling it again returns the same promise. */
  stop(): Promise<void>
}

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
  const tails = api && openTails(options, { commands, pool: api, metrics, privacy })
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

/** Of the time that stopping may take, what answers that run may have: the rest is for what is closed after them. */
const ANSWERS_SHARE = 0.75

/** How long answers that run may still take, in milliseconds. */
function graceOf({ shutdownTimeoutMs }: Settings, { stoppedAtMs }: ServiceState): number {
  const stoppingForMs = stoppedAtMs === undefined ? 0 : performance.now() - stoppedAtMs
  return shutdownTimeoutMs * ANSWERS_SHARE - stoppingForMs
}
