import { ConsumerLease, LEASE_MS } from '../ingest/consumer-lease.ts'
import { IngestWorker } from '../ingest/ingest-worker.ts'
import { StreamKeeper } from '../ingest/stream-keeper.ts'
import type { DataPoint } from '../models/data-point.ts'
import type { LogRecord } from '../models/log-record.ts'
import type { Span } from '../models/span.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { redisSafetyWarnings } from '../redis.ts'
import { PartitionKeeper } from '../retention/partition-keeper.ts'
import { Partitions } from '../retention/partitions.ts'
import { Interner } from '../writers/interner.ts'
import { LogWriter } from '../writers/log-writer.ts'
import { MetricWriter } from '../writers/metric-writer.ts'
import type { TelemetryWriter, TelemetryWriterOptions } from '../writers/telemetry-writer.ts'
import { TraceWriter } from '../writers/trace-writer.ts'
import { groupOf } from './group-of.ts'
import type { IngestNeeds } from './ingest-needs.ts'
import { keepPartitions } from './keep-partitions.ts'
import { openRedis } from './open-redis.ts'
import { recordLimitsOf } from './record-limits-of.ts'
import type { ServiceOptions } from './service-options.ts'

/** A consumer that holds nothing is forgotten after this long; with a longer RECLAIM_MIN_IDLE_MS, after that. */
const DEAD_CONSUMER_IDLE_MS = 600_000

/** Starts one worker a signal, and the maintenance they need. */
export async function startIngest(options: ServiceOptions, needs: IngestNeeds): Promise<void> {
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
