import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { Exemplars } from './metrics/exemplars.ts'
import { createQueryMetrics } from './metrics/query-metrics.ts'
import { REJECTION_REASONS, type RejectionReason } from './models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from './models/telemetry-signal.ts'
import { ownVersion } from './own-version.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const ROWS = [1, 10, 50, 100, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000]
const BYTES = [1024, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]

/** prom-client's default gauges whose names end in `_total`, which is a counter's ending: promtool refuses them. */
const MISNAMED_DEFAULTS = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/**
 * Every metric of the service, but for those that are read when Prometheus asks (metrics/register-gauges.ts). Observed once a chunk, batch or
 * answer, never once a record. docs/metrics.md lists them.
 */
export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED_DEFAULTS) registry.removeSingleMetric(name)
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name: `observatory_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram<'signal'>({ name: `observatory_${name}`, help, labelNames: ['signal'], buckets, registers })

  const metrics = {
    registry,
    entriesRead: counter('entries_read_total', 'Stream entries read from Redis', ['signal']),
    recordsReceived: counter('records_received_total', 'Records found in the entries read', ['signal']),
    recordsWritten: counter('records_written_total', 'Records committed as rows', ['signal']),
    recordsDeadLettered: counter(
      'records_dead_lettered_total',
      'Records committed as dead letters, by reason',
      ['signal', 'reason'] as ('signal' | 'reason')[],
    ),
    recordsDuplicate: counter(
      'records_duplicate_total',
      'Records delivered again that were ingested before',
      ['signal'],
    ),
    stringsCleaned: counter('strings_cleaned_total', 'Strings that held NUL or a lone surrogate', ['signal']),
    valuesRedacted: counter('values_redacted_total', 'Values that a redaction rule has hidden, by rule', [
      'signal',
      'rule',
    ] as ('signal' | 'rule')[]),
    entriesLost: counter(
      'entries_lost_total',
      'Entries that somebody removed from the stream before they were ingested',
      ['signal'],
    ),
    entriesForked: counter(
      'entries_forked_total',
      'Entries ingested under ids that another history of the stream had',
      ['signal'],
    ),
    streamResets: counter(
      'stream_resets_total',
      'Looks that found a stream deleted, emptied or put back to an earlier state',
      ['signal'],
    ),
    entriesClaimed: counter('entries_claimed_total', 'Entries taken over from consumers that are gone', [
      'signal',
    ]),
    trimmingHeldUp: new Gauge<'signal'>({
      name: 'observatory_stream_trimming_held_up',
      help: '1 while a group that is not ours keeps the stream from being trimmed',
      labelNames: ['signal'],
      registers,
    }),
    entriesTrimmed: counter('entries_trimmed_total', 'Entries removed from the stream after use', ['signal']),
    batches: counter('batches_total', 'Batches cut, by what cut them', ['signal', 'trigger'] as (
      | 'signal'
      | 'trigger'
    )[]),
    writeRetries: counter('write_retries_total', 'Attempts to write a batch that failed, by SQLSTATE class', [
      'signal',
      'cause',
    ] as ('signal' | 'cause')[]),
    frozenSessionsEnded: counter(
      'frozen_sessions_ended_total',
      'PostgreSQL sessions of frozen processes that were ended because others waited for their locks',
      ['signal'],
    ),
    redisErrors: counter('redis_errors_total', 'Reads and acknowledgements that failed', ['signal']),
    partitionIndexesMissing: new Gauge<'table'>({
      name: 'observatory_partition_indexes_missing',
      help: 'Indexes that partitions should have and have not, or not valid',
      labelNames: ['table'],
      registers,
    }),
    partitionIndexesBuilt: counter('partition_indexes_built_total', 'Indexes of partitions that were built', [
      'table',
    ]),
    partitionIndexesFailed: counter(
      'partition_index_failures_total',
      'Indexes of partitions that could not be built, each time',
      ['table'],
    ),
    partitionIndexBuildSeconds: new Gauge<'table'>({
      name: 'observatory_partition_index_last_build_seconds',
      help: 'Time that the last index of a partition took to build, waiting for older transactions included',
      labelNames: ['table'],
      registers,
    }),
    rollupsPending: new Gauge<'signal'>({
      name: 'observatory_rollups_pending',
      help: 'Minutes that are over (of metrics: whose hours are) and have no rollups, or whose rows have changed since, at the last look: they are answered from rows; absent where another process rolls up',
      labelNames: ['signal'],
      registers,
    }),
    rollupsLastFinished: new Gauge<'signal'>({
      name: 'observatory_rollups_last_finished_timestamp_seconds',
      help: 'When this process found nothing left that is to be rolled up, in unix time; at first when it began to look',
      labelNames: ['signal'],
      registers,
    }),
    rollupsMade: counter(
      'rollups_made_total',
      'Minutes that were rolled up, also anew; of metrics those for which their hours were',
      ['signal'],
    ),
    cachedAnswers: counter(
      'cached_answers_total',
      'Questions to the cache of answers, by what became of them: hit, miss, stale (what was asked about has changed), too_large',
      ['outcome'],
    ),
    partitionsUnfrozen: new Gauge<'table'>({
      name: 'observatory_partitions_unfrozen',
      help: 'Closed partitions that are to be frozen and vacuumed',
      labelNames: ['table'],
      registers,
    }),
    partitionsVacuumed: counter(
      'partitions_vacuumed_total',
      'Closed partitions that were frozen and vacuumed',
      ['table'],
    ),
    partitionVacuumsFailed: counter(
      'partition_vacuum_failures_total',
      'Closed partitions that could not be vacuumed, each time',
      ['table'],
    ),
    retentionRuns: counter(
      'retention_runs_total',
      'Runs of retention, by outcome: finished, incomplete (something waits or failed), failed, busy (another process runs)',
      ['outcome'],
    ),
    retentionRemovedPartitions: counter(
      'retention_removed_partitions_total',
      'Partitions that retention has dropped',
      ['table'],
    ),
    retentionRemovedRows: counter(
      'retention_removed_rows_total',
      'Rows that retention has removed, in partitions and by themselves',
      ['table'],
    ),
    retentionRemovedBytes: counter(
      'retention_removed_bytes_total',
      'Bytes of what retention has removed, with indexes; of single rows an estimate, and they come back when their partition goes',
      ['table'],
    ),
    retentionLastFinished: new Gauge({
      name: 'observatory_retention_last_finished_timestamp_seconds',
      help: 'When a run of this process has left nothing that was due, in unix time; 0 before the first one',
      registers,
    }),
    archivedRows: counter(
      'archived_rows_total',
      'Rows written to archives, and read back, before retention removes them',
      ['table'],
    ),
    archivedBytes: counter(
      'archived_bytes_total',
      'Bytes of the files of rows that were written to archives before retention removes them',
      ['table'],
    ),
    archiveFailures: counter(
      'archive_failures_total',
      'Partitions that could not be archived, each time: nothing of them is removed',
      ['table'],
    ),
    tailRecordsSent: counter('tail_records_sent_total', 'Records given to those who watch a tail', [
      'signal',
    ]),
    tailEntriesSkipped: counter(
      'tail_entries_skipped_total',
      'Entries that all tails passed over: they were trimmed, or more than could be read',
      ['signal'],
    ),
    otlpRequests: counter('otlp_requests_total', 'Export requests answered, by HTTP status', [
      'signal',
      'status',
    ] as ('signal' | 'status')[]),
    otlpRejected: counter(
      'otlp_rejected_records_total',
      'Records of export requests that were taken, and of which the client was told that they are refused',
      ['signal'],
    ),
    batchRows: histogram('batch_rows', 'Rows and dead letters of a batch', ROWS),
    batchBytes: histogram('batch_size_bytes', 'Bytes of the entries of a batch', BYTES),
    batchAge: histogram(
      'batch_age_seconds',
      'Time from reading the oldest entry of a batch to cutting it',
      SECONDS,
    ),
    lastCommit: new Gauge<'signal'>({
      name: 'observatory_last_commit_timestamp_seconds',
      help: 'When a batch was committed last, in unix time; absent before the first one',
      labelNames: ['signal'],
      registers,
    }),
    copySeconds: histogram('copy_duration_seconds', 'Time COPY took for a batch', SECONDS),
    commitSeconds: histogram('commit_duration_seconds', 'Time COMMIT took for a batch', SECONDS),
    ingestSeconds: histogram(
      'ingest_delay_seconds',
      'Time from XADD (entry id) to COMMIT, of the oldest entry of a batch',
      SECONDS,
    ),
    ingestExemplars: new Exemplars('observatory_ingest_delay_seconds', SECONDS),
    ...createQueryMetrics(registers),
  }
  new Gauge<'version'>({
    name: 'observatory_build_info',
    help: 'Always 1; its label is the version that runs',
    labelNames: ['version'],
    registers,
  }).set({ version: ownVersion() }, 1)
  for (const signal of TELEMETRY_SIGNALS) {
    for (const each of [
      metrics.recordsReceived,
      metrics.recordsWritten,
      metrics.recordsDuplicate,
      metrics.entriesRead,
      metrics.entriesLost,
      metrics.entriesForked,
      metrics.streamResets,
      metrics.entriesClaimed,
      metrics.entriesTrimmed,
      metrics.frozenSessionsEnded,
      metrics.tailRecordsSent,
      metrics.tailEntriesSkipped,
    ]) {
      each.inc({ signal }, 0)
    }
    // So that the first one is an increase to Prometheus, too.
    for (const reason of REJECTION_REASONS) metrics.recordsDeadLettered.inc({ signal, reason }, 0)
  }
  return metrics
}

/** Counts what became of the records of a batch. */
export function countOutcome(
  metrics: Metrics,
  signal: TelemetrySignal,
  outcome: { rowsWritten: number; duplicates: number; reasons: readonly RejectionReason[] },
): void {
  metrics.recordsWritten.inc({ signal }, outcome.rowsWritten)
  metrics.recordsDuplicate.inc({ signal }, outcome.duplicates)
  for (const reason of new Set(outcome.reasons)) {
    const count = outcome.reasons.filter((other) => other === reason).length
    metrics.recordsDeadLettered.inc({ signal, reason }, count)
  }
}
