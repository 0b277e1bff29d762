import type { Redis } from 'ioredis'
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { countOutcome, type Metrics } from '../metrics.ts'
import { formatEntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { WriteRetry } from '../writers/batch-writer.ts'
import { FrozenSessions } from '../writers/frozen-sessions.ts'
import type { Interner } from '../writers/interner.ts'
import type { BufferStats, TelemetryWriter, TelemetryWriterOptions } from '../writers/telemetry-writer.ts'
import type { BatchOutcome } from '../writers/write-transaction.ts'
import { Acknowledger } from './acknowledger.ts'
import type { GroupOfStream } from './consumer-group.ts'
import type { OnDecoded } from './decode-entries.ts'
import type { InFlight } from './in-flight.ts'
import { ingest } from './pipeline.ts'
import { EntryReader, type ReadOptions } from './read-entries.ts'
import { VanishedEntries } from './vanished-entries.ts'

export interface IngestWorkerOptions<T extends object> extends GroupOfStream {
  readonly signal: TelemetrySignal
  readonly createWriter: (options: TelemetryWriterOptions<T>) => TelemetryWriter<T>
  readonly pool: pg.Pool
  /** For the blocking reads of this worker alone. */
  readonly reader: Redis
  /** For acknowledgements. */
  readonly commands: Redis
  readonly consumer: string
  readonly inFlight: InFlight
  readonly partitions: Partitions
  readonly interner: Interner
  readonly read: { readonly maxCount: number; readonly blockMs: number }
  readonly claim: Pick<ReadOptions['claim'], 'minIdleMs' | 'isAlive'>
  readonly write: Pick<
    TelemetryWriterOptions<T>,
    'maxRows' | 'maxBytes' | 'maxAgeMs' | 'concurrency' | 'recordLimits' | 'privacy' | 'deadLetterPayload'
  >
  /** See {@link FrozenSessions}. */
  readonly frozenAfterMs: number
  readonly metrics: Metrics
  readonly logger: Logger
}

/**
 * Runs the ingest of one signal and owns its pipeline.
 *
 * States: *running* → {@link stop} → *draining* (nothing is read any more; what was read is committed and acknowledged) → *stopped*;
 * or → *failed* when the schema or this program is at fault: nothing is read any more, everything stays pending.
 */
export class IngestWorker<T extends object> {
  readonly #options: IngestWorkerOptions<T>
  readonly #stopping = new AbortController()
  readonly #aborted = new AbortController()
  /** Aborted or failed: what was read is not going to be committed. */
  readonly #ended = new AbortController()
  readonly #writer: TelemetryWriter<T>
  readonly #reader: EntryReader
  readonly #acknowledger: Acknowledger
  readonly #running: Promise<void>
  #failure: unknown
  #writeProblem: unknown
  /** Whether the last attempt to write anything failed. */
  #isWriteFailing = false
  #received = 0
  #settled = 0

  constructor(options: IngestWorkerOptions<T>) {
    this.#options = options
    this.#reader = this.#createReader()
    this.#acknowledger = this.#createAcknowledger()
    this.#writer = this.#createWriter()
    this.#running = this.#run()
  }

  /** Why this worker does not ingest, in words, or undefined when it does. */
  get problem(): string | undefined {
    const problem = this.#failure ?? this.#writeProblem ?? this.#reader.problem ?? this.#acknowledger.problem
    return problem === undefined ? undefined : messageOf(problem)
  }

  get recordsInFlight(): number {
    return this.#received - this.#settled
  }

  stats(): BufferStats {
    return this.#writer.stats()
  }

  /** Stops reading and resolves when all that was read is committed and acknowledged. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#writer.hurry()
    const { reader, read } = this.#options
    const cut = setTimeout(() => this.#reader.isBlocked && reader.disconnect(true), read.blockMs + 2000)
    await this.#running
    clearTimeout(cut)
  }

  /** Ends at once: what is not committed stays pending. */
  async abort(): Promise<void> {
    this.#aborted.abort()
    this.#end()
    await this.#running
  }

  #end(): void {
    this.#stopping.abort()
    this.#ended.abort(new Error('The ingest of this stream has ended'))
  }

  #createReader(): EntryReader {
    const { signal, stream, group, consumer, reader, read, claim, inFlight, metrics, logger } = this.#options
    const { commands } = this.#options
    const vanished = this.#createVanished()
    return new EntryReader({
      redis: reader,
      commands,
      stream,
      group,
      consumer,
      ...read,
      inFlight,
      stopping: this.#stopping.signal,
      ended: this.#ended.signal,
      onError: (error) => {
        metrics.redisErrors.inc({ signal })
        logger.warn({ stream, err: error }, 'reading the stream failed; trying again')
      },
      onGroupGone: () =>
        logger.warn(
          { stream, group },
          'the consumer group was gone and is made again at the beginning of the stream; what was ingested before is left out',
        ),
      onVanished: (ids) =>
        vanished.settle(ids).catch((error) => {
          logger.warn({ stream, err: error }, 'looking for entries that vanished failed; trying again')
          return false
        }),
      claim: {
        ...claim,
        mayClaim: () => !this.#isWriteFailing,
        onClaimed: (entries) => {
          metrics.entriesClaimed.inc({ signal }, entries)
          logger.warn({ stream, entries }, 'took over entries that another consumer left pending')
        },
      },
    })
  }

  #createVanished(): VanishedEntries {
    const { signal, stream, group, pool, commands, frozenAfterMs, metrics, logger } = this.#options
    return new VanishedEntries({
      pool,
      redis: commands,
      stream,
      group,
      frozenSessions: new FrozenSessions(pool, frozenAfterMs),
      isStale: () => this.#reader.isStale,
      onLost: (ids) =>
        logger.error(
          { stream, ids: ids.slice(0, 10), count: ids.length },
          'entries were removed from the stream before they were ingested, and are lost',
        ),
      onLostAcknowledged: (count) => metrics.entriesLost.inc({ signal }, count),
      onFrozenEnded: (sessions) => this.#noteFrozenEnded(sessions),
    })
  }

  #createAcknowledger(): Acknowledger {
    const { signal, stream, group, commands, metrics, logger } = this.#options
    return new Acknowledger({
      redis: commands,
      stream,
      group,
      isStale: () => this.#reader.isStale,
      stopping: this.#stopping.signal,
      onGivenUp: () => this.#reader.rereadPending(),
      onError: (error) => {
        metrics.redisErrors.inc({ signal })
        logger.warn({ stream, err: error }, 'acknowledging failed; trying again')
      },
    })
  }

  #createWriter(): TelemetryWriter<T> {
    const { signal, stream, pool, partitions, interner, frozenAfterMs, metrics } = this.#options
    return this.#options.createWriter({
      ...this.#options.write,
      pool,
      stream,
      partitions,
      interner,
      frozenAfterMs,
      onBatch: (batch) => {
        metrics.batches.inc({ signal, trigger: batch.trigger })
        metrics.batchRows.observe({ signal }, batch.rows)
        metrics.batchBytes.observe({ signal }, batch.bytes)
        metrics.batchAge.observe({ signal }, (Date.now() - batch.oldestReadAt) / 1000)
      },
      onRetry: (retry) => this.#noteRetry(retry),
      onFrozenEnded: (sessions) => this.#noteFrozenEnded(sessions),
      onCommitted: (outcome) => this.#settle(outcome),
    })
  }

  /** Resolves when the pipeline has ended, however it did. */
  async #run(): Promise<void> {
    const { stream, reader, commands, inFlight, logger } = this.#options
    const reread = () => this.#reader.rereadPending()
    for (const redis of [reader, commands]) redis.on('close', reread)
    // The reader and the decoder may be waiting for room that a failed writer will never make.
    this.#writer.once('error', () => this.#end())
    const { decoder } = this.#writer
    const onDecoded: OnDecoded = (chunk) => this.#countDecoded(chunk)
    const decoding = { stream, decoder, inFlight, onDecoded, ended: this.#ended.signal }
    try {
      await ingest({ reader: this.#reader, decoding, writer: this.#writer }, this.#aborted.signal)
    } catch (error) {
      if (this.#aborted.signal.aborted) return
      this.#failure = error
      this.#end()
      inFlight.forget(stream)
      logger.error({ stream, err: error }, 'ingest stopped; everything not committed stays pending')
    } finally {
      for (const redis of [reader, commands]) redis.off('close', reread)
    }
  }

  #countDecoded({ entries, records, cleaned, redacted }: Parameters<OnDecoded>[0]): void {
    const { signal, metrics } = this.#options
    this.#received += records
    metrics.entriesRead.inc({ signal }, entries)
    metrics.recordsReceived.inc({ signal }, records)
    if (cleaned > 0) metrics.stringsCleaned.inc({ signal }, cleaned)
    for (const [rule, values] of redacted) metrics.valuesRedacted.inc({ signal, rule }, values)
  }

  async #settle(outcome: BatchOutcome<T>): Promise<void> {
    const { signal, stream, inFlight, metrics, logger } = this.#options
    const { batch, rowsWritten, duplicates, deadLetters } = outcome
    const reasons = deadLetters.map(({ letter }) => letter.reason)
    this.#writeProblem = undefined
    this.#isWriteFailing = false
    this.#settled += batch.rows
    countOutcome(metrics, signal, { rowsWritten, duplicates, reasons })
    metrics.entriesForked.inc({ signal }, outcome.forkedEntries)
    metrics.copySeconds.observe({ signal }, outcome.copyMs / 1000)
    metrics.commitSeconds.observe({ signal }, outcome.commitMs / 1000)
    metrics.lastCommit.set({ signal }, Date.now() / 1000)
    const oldest = batch.entries[0]
    if (oldest !== undefined) {
      const seconds = Math.max(0, Date.now() - Number(oldest.id.ms)) / 1000
      metrics.ingestSeconds.observe({ signal }, seconds)
      const traceId = signal === 'metrics' ? undefined : traceIdOf(oldest)
      if (traceId !== undefined) metrics.ingestExemplars.note(signal, seconds, traceId)
    }
    logger.debug(
      { stream, rows: rowsWritten, deadLetters: deadLetters.length, duplicates, trigger: batch.trigger },
      'batch committed',
    )
    await this.#acknowledger.acknowledge(batch.entries.map(({ id }) => formatEntryId(id)))
    inFlight.settled(stream, { entries: batch.entries.length, bytes: batch.bytes, records: batch.rows })
  }

  #noteFrozenEnded(sessions: number): void {
    const { signal, stream, metrics, logger } = this.#options
    metrics.frozenSessionsEnded.inc({ signal }, sessions)
    logger.warn({ stream, sessions }, 'ended PostgreSQL sessions of a frozen process that others waited for')
  }

  #noteRetry({ failure, sqlState, error, attempt, delayMs }: WriteRetry): void {
    const { signal, stream, metrics, logger } = this.#options
    metrics.writeRetries.inc({ signal, cause: sqlState?.slice(0, 2) ?? 'connection' })
    if (failure === 'unready') this.#writeProblem = error
    if (failure !== 'data') this.#isWriteFailing = true
    const fields = { stream, sqlState, err: error, attempt, delayMs }
    if (failure === 'unready')
      logger.error(fields, 'writing a batch failed and will until an operator acts; trying again')
    else logger.warn(fields, 'writing a batch failed; trying again')
  }
}

/** A larger entry is not decoded again for its trace id. */
const EXEMPLAR_MAX_BYTES = 16 * 1024

/** The trace of an entry's first record, where it has one. */
function traceIdOf<T>({ bytes, origin }: BatchOutcome<T>['batch']['entries'][number]): string | undefined {
  if (bytes > EXEMPLAR_MAX_BYTES) return undefined
  const [record] = origin.decodeAgain().records as readonly { readonly traceId?: string }[]
  return record?.traceId
}
