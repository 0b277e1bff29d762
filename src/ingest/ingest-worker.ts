import type { Redis } from 'ioredis'
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { countOutcome, type Metrics } from '../metrics.ts'
import { formatEntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { WriteRetry } from '../writers/batch-writer.ts'
import type { Interner } from '../writers/interner.ts'
import type { BufferStats, TelemetryWriter, TelemetryWriterOptions } from '../writers/telemetry-writer.ts'
import type { BatchOutcome } from '../writers/write-transaction.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'
import type { InFlight } from './in-flight.ts'
import { ingest } from './pipeline.ts'
import { EntryReader } from './read-entries.ts'

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
  readonly write: Pick<
    TelemetryWriterOptions<T>,
    'maxRows' | 'maxBytes' | 'maxAgeMs' | 'concurrency' | 'recordLimits' | 'deadLetterPayload'
  >
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
  readonly #hardStop = new AbortController()
  readonly #writer: TelemetryWriter<T>
  readonly #reader: EntryReader
  readonly #running: Promise<void>
  #failure: unknown
  #unready: string | undefined
  #received = 0
  #settled = 0

  constructor(options: IngestWorkerOptions<T>) {
    this.#options = options
    const { signal, stream, pool, partitions, interner, inFlight, logger, metrics } = options
    this.#reader = new EntryReader({
      redis: options.reader,
      stream,
      group: options.group,
      consumer: options.consumer,
      ...options.read,
      inFlight,
      stopping: this.#stopping.signal,
      onError: (error) => {
        metrics.redisErrors.inc({ signal })
        logger.warn({ stream, err: error }, 'reading the stream failed; trying again')
      },
      onVanished: (ids) => {
        metrics.entriesVanished.inc({ signal }, ids.length)
        logger.error(
          { stream, ids: ids.slice(0, 10), count: ids.length },
          'pending entries were removed from the stream',
        )
      },
    })
    this.#writer = options.createWriter({
      ...options.write,
      pool,
      stream,
      partitions,
      interner,
      onBatch: (batch) => {
        metrics.batches.inc({ signal, trigger: batch.trigger })
        metrics.batchRows.observe({ signal }, batch.rows)
        metrics.batchBytes.observe({ signal }, batch.bytes)
        metrics.batchAge.observe({ signal }, (Date.now() - batch.oldestReadAt) / 1000)
      },
      onRetry: (retry) => this.#noteRetry(retry),
      onCommitted: (outcome) => this.#settle(outcome),
    })
    const onDecoded = (chunk: { entries: number; records: number; cleaned: number }) => {
      this.#received += chunk.records
      metrics.entriesRead.inc({ signal }, chunk.entries)
      metrics.recordsReceived.inc({ signal }, chunk.records)
      if (chunk.cleaned > 0) metrics.stringsCleaned.inc({ signal }, chunk.cleaned)
    }
    // The reader may be waiting for room that a failed writer will never make.
    this.#writer.once('error', () => this.#stopping.abort())
    const parts = { reader: this.#reader, onDecoded, writer: this.#writer }
    this.#running = ingest(parts, this.#hardStop.signal).catch((error) => {
      if (this.#hardStop.signal.aborted) return
      this.#failure = error
      inFlight.forget(stream)
      logger.error({ stream, err: error }, 'ingest stopped; everything not committed stays pending')
    })
  }

  /** Why this worker does not ingest, in words, or undefined when it does. */
  get problem(): string | undefined {
    return this.#failure === undefined ? this.#unready : messageOf(this.#failure)
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
    await this.#running
  }

  /** Ends at once: what is not committed stays pending. */
  async abort(): Promise<void> {
    this.#stopping.abort()
    this.#hardStop.abort()
    await this.#running
  }

  async #settle(outcome: BatchOutcome<T>): Promise<void> {
    const { signal, stream, inFlight, metrics, logger } = this.#options
    const { batch, rowsWritten, duplicates, deadLetters } = outcome
    const reasons = deadLetters.map(({ letter }) => letter.reason)
    this.#unready = undefined
    this.#settled += batch.rows
    countOutcome(metrics, signal, { rowsWritten, duplicates, reasons })
    metrics.copySeconds.observe({ signal }, outcome.copyMs / 1000)
    metrics.commitSeconds.observe({ signal }, outcome.commitMs / 1000)
    const oldest = batch.entries[0]
    if (oldest !== undefined) {
      metrics.ingestSeconds.observe({ signal }, Math.max(0, Date.now() - Number(oldest.id.ms)) / 1000)
    }
    logger.debug(
      { stream, rows: rowsWritten, deadLetters: deadLetters.length, duplicates, trigger: batch.trigger },
      'batch committed',
    )
    try {
      await ackEntries(
        this.#options.commands,
        this.#options,
        batch.entries.map(({ id }) => formatEntryId(id)),
      )
    } catch (error) {
      metrics.redisErrors.inc({ signal })
      logger.warn(
        { stream, err: error },
        'acknowledging failed; the entries are read again and found in the ledger',
      )
      this.#reader.rereadPending()
    } finally {
      inFlight.settled(stream, batch.entries.length, batch.bytes)
    }
  }

  #noteRetry({ failure, sqlState, error, attempt, delayMs }: WriteRetry): void {
    const { signal, stream, metrics, logger } = this.#options
    metrics.writeRetries.inc({ signal, cause: sqlState?.slice(0, 2) ?? 'connection' })
    if (failure === 'unready') this.#unready = messageOf(error)
    logger.warn({ stream, sqlState, err: error, attempt, delayMs }, 'writing a batch failed; trying again')
  }
}
