import type { Redis } from 'ioredis'
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import { countOutcome, type Metrics } from '../metrics.ts'
import { formatEntryId, parseEntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { whenReady } from '../redis.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { WriteRetry } from '../writers/batch-writer.ts'
import type { Interner } from '../writers/interner.ts'
import { findListed } from '../writers/ledger.ts'
import type { BufferStats, TelemetryWriter, TelemetryWriterOptions } from '../writers/telemetry-writer.ts'
import type { BatchOutcome } from '../writers/write-transaction.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'
import type { InFlight } from './in-flight.ts'
import { ingest } from './pipeline.ts'
import { EntryReader, type ReadOptions } from './read-entries.ts'

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
  readonly #aborted = new AbortController()
  /** Aborted or failed: what was read is not going to be committed. */
  readonly #ended = new AbortController()
  readonly #writer: TelemetryWriter<T>
  readonly #reader: EntryReader
  readonly #running: Promise<void>
  #failure: unknown
  #writeProblem: unknown
  #ackProblem: unknown
  /** Whether the last attempt to write anything failed. */
  #isWriteFailing = false
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
      onVanished: (ids) => this.#settleVanished(ids),
      claim: {
        ...options.claim,
        mayClaim: () => !this.#isWriteFailing,
        onClaimed: (entries) => {
          metrics.entriesClaimed.inc({ signal }, entries)
          logger.info({ stream, entries }, 'took over entries that another consumer left pending')
        },
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
      frozenAfterMs: options.claim.minIdleMs,
      onFrozenEnded: (sessions) => {
        metrics.frozenSessionsEnded.inc({ signal }, sessions)
        logger.warn(
          { stream, sessions },
          'ended PostgreSQL sessions of a frozen process that others waited for',
        )
      },
      onCommitted: (outcome) => this.#settle(outcome),
    })
    const onDecoded = (chunk: { entries: number; records: number; cleaned: number }) => {
      this.#received += chunk.records
      metrics.entriesRead.inc({ signal }, chunk.entries)
      metrics.recordsReceived.inc({ signal }, chunk.records)
      if (chunk.cleaned > 0) metrics.stringsCleaned.inc({ signal }, chunk.cleaned)
    }
    const connections = [options.reader, options.commands]
    const reread = () => this.#reader.rereadPending()
    for (const redis of connections) redis.on('close', reread)
    // The reader and the decoder may be waiting for room that a failed writer will never make.
    this.#writer.once('error', () => this.#end())
    const { decoder } = this.#writer
    const decoding = { stream, decoder, inFlight, onDecoded, ended: this.#ended.signal }
    const parts = { reader: this.#reader, decoding, writer: this.#writer }
    this.#running = ingest(parts, this.#aborted.signal).catch((error) => {
      if (this.#aborted.signal.aborted) return
      this.#failure = error
      this.#end()
      inFlight.forget(stream)
      logger.error({ stream, err: error }, 'ingest stopped; everything not committed stays pending')
    })
    this.#running.finally(() => {
      for (const redis of connections) redis.off('close', reread)
    })
  }

  /** Why this worker does not ingest, in words, or undefined when it does. */
  get problem(): string | undefined {
    const problem = this.#failure ?? this.#writeProblem ?? this.#reader.problem ?? this.#ackProblem
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
    const { reader, read } = this.#options
    const cut = setTimeout(() => reader.disconnect(), read.blockMs + 2000)
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

  async #settle(outcome: BatchOutcome<T>): Promise<void> {
    const { signal, stream, inFlight, metrics, logger } = this.#options
    const { batch, rowsWritten, duplicates, deadLetters } = outcome
    const reasons = deadLetters.map(({ letter }) => letter.reason)
    this.#writeProblem = undefined
    this.#isWriteFailing = false
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
    await this.#acknowledge(batch.entries.map(({ id }) => formatEntryId(id)))
    inFlight.settled(stream, { entries: batch.entries.length, bytes: batch.bytes, records: batch.rows })
  }

  /**
   * Somebody removed pending entries from the stream. Those that the ledger lists were committed, only their acknowledgement had not come
   * through; the others are lost, which can only be reported, and is before they are acknowledged.
   */
  async #settleVanished(ids: readonly string[]): Promise<void> {
    const { pool, commands, signal, stream, metrics, logger } = this.#options
    const listed = await findListed(pool, stream, ids.map(parseEntryId))
    const lost = ids.filter((id) => !listed.has(id))
    if (lost.length > 0) {
      metrics.entriesLost.inc({ signal }, lost.length)
      logger.error(
        { stream, ids: lost.slice(0, 10), count: lost.length },
        'entries were removed from the stream before they were ingested, and are lost',
      )
    }
    await ackEntries(commands, this.#options, ids)
  }

  /**
   * Tries for as long as it takes, or until told to stop, or until the entries are to be read again: what is committed and still pending, the
   * ledger recognises.
   */
  async #acknowledge(ids: readonly string[]): Promise<void> {
    const { commands, signal, stream, metrics, logger } = this.#options
    const stopping = this.#stopping.signal
    for (let failures = 0; !this.#reader.isStale; failures += 1) {
      try {
        await ackEntries(commands, this.#options, ids)
        this.#ackProblem = undefined
        return
      } catch (error) {
        this.#ackProblem = error
        metrics.redisErrors.inc({ signal })
        logger.warn({ stream, err: error }, 'acknowledging failed; trying again')
        if (stopping.aborted) return
        await sleep(backoffMs(failures), stopping)
          .then(() => whenReady(commands, stopping))
          .catch(() => undefined)
      }
    }
    this.#ackProblem = undefined
  }

  #noteRetry({ failure, sqlState, error, attempt, delayMs }: WriteRetry): void {
    const { signal, stream, metrics, logger } = this.#options
    metrics.writeRetries.inc({ signal, cause: sqlState?.slice(0, 2) ?? 'connection' })
    if (failure === 'unready') this.#writeProblem = error
    if (failure !== 'data') this.#isWriteFailing = true
    logger.warn({ stream, sqlState, err: error, attempt, delayMs }, 'writing a batch failed; trying again')
  }
}
