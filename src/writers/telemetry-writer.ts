import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import type { Privacy } from '../models/privacy/privacy.ts'
import type { RecordLimits } from '../models/record-limits.ts'
import { Partitions } from '../retention/partitions.ts'
import type { DeadLetterPayload } from '../settings.ts'
import { type Batch, Batcher, type BatchLimits, type DecodedChunk } from './batch.ts'
import { BatchRows, type EncodedBatch } from './batch-rows.ts'
import { BatchWriter, type WriteRetry } from './batch-writer.ts'
import { concurrentTransform } from './concurrent-transform.ts'
import { CopyBuffers } from './copy-buffers.ts'
import { InternedContent } from './interned-content.ts'
import { Interner, type SeriesLimits } from './interner.ts'
import { RecordDecoder } from './record-decoder.ts'
import type { TelemetryTable } from './telemetry-table.ts'
import type { BatchOutcome } from './write-transaction.ts'

/** What a writer holds and what it has done, in records unless the name says otherwise. */
export interface BufferStats {
  /** Waiting for their batch to be cut. */
  readonly waitingRecords: number
  readonly waitingBytes: number
  /** Age of the oldest record that is not committed, in milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number
  /** In batches that are cut but not committed. */
  readonly inFlightRecords: number
  readonly inFlightBatches: number
  readonly written: number
  readonly deadLettered: number
  readonly duplicates: number
  readonly retries: number
}

export interface TelemetryWriterOptions<T> extends Partial<BatchLimits> {
  readonly pool: pg.Pool
  /** Transactions at once. Default 2. */
  readonly concurrency?: number
  /** What the ledger calls the entries written. Default: a name of this writer's own. */
  readonly stream?: string
  /** Shared by the writers of a process; each writer has its own when they are not given. */
  readonly partitions?: Partitions
  readonly interner?: Interner
  readonly deadLetterPayload?: DeadLetterPayload
  /** What may be kept of records and of dead letters. Default: everything. */
  readonly privacy?: Privacy
  readonly recordLimits?: Partial<RecordLimits>
  readonly seriesLimits?: SeriesLimits
  /** Called for each batch after its COMMIT. The next batch waits for it. */
  readonly onCommitted?: (outcome: BatchOutcome<T>) => Promise<void> | void
  readonly onBatch?: (batch: Batch<T>) => void
  readonly onRetry?: (retry: WriteRetry) => void
  /** See {@link BatchWriterOptions.attemptMaxMs}. Default 60,000. */
  readonly attemptMaxMs?: number
  /** See {@link BatchWriterOptions.frozenAfterMs}. Default 60,000. */
  readonly frozenAfterMs?: number
  readonly onFrozenEnded?: (sessions: number) => void
}

const DEFAULTS = {
  maxRows: 10_000,
  maxBytes: 4 * 1024 * 1024,
  maxAgeMs: 250,
  concurrency: 2,
  attemptMaxMs: 60_000,
  frozenAfterMs: 60_000,
  seriesLimits: { maxPerMetric: 10_000, maxPerService: 50_000 },
} as const

/**
 * An object-mode Writable of chunks. A chunk is a record or an array of records as applications write them (validated here; refused ones go to the
 * dead letters with their reason), or what {@link RecordDecoder} and the ingest pipeline make of them.
 *
 * Inside runs `batch → write`: each record is encoded as COPY BINARY as it comes; a batch is cut by rows, bytes and age, and
 * committed together with its ledger row, several at once. `write()` returns false, and its callback waits, while the stages are
 * full. `end()` resolves ('finish') when everything is committed.
 */
export class TelemetryWriter<T extends object> extends Writable {
  readonly #batcher: Batcher<T, EncodedBatch<T>>
  /** Decodes what this writer takes, with its limits. */
  readonly decoder: RecordDecoder<T>
  readonly #running: Promise<void>
  readonly #destroyed = new AbortController()
  readonly #inFlight = new Set<Batch<T>>()
  #written = 0
  #deadLettered = 0
  #duplicates = 0
  #retries = 0

  constructor(table: TelemetryTable<T>, options: TelemetryWriterOptions<T>) {
    super({ objectMode: true, highWaterMark: 1 })
    const { pool, concurrency = DEFAULTS.concurrency } = options
    const content = new InternedContent()
    const partitions = options.partitions ?? new Partitions({ pool, interval: 'day' })
    this.decoder = new RecordDecoder<T>(table.signal, options.recordLimits, options.privacy)
    const limits = {
      maxRows: options.maxRows ?? DEFAULTS.maxRows,
      maxBytes: options.maxBytes ?? DEFAULTS.maxBytes,
      maxAgeMs: options.maxAgeMs ?? DEFAULTS.maxAgeMs,
    }
    const rowsOptions = { table, content, partitions }
    // One batch fills while others are written.
    const buffers = new CopyBuffers(Math.min(limits.maxBytes, DEFAULTS.maxBytes), concurrency + 1)
    this.#batcher = new Batcher(
      limits,
      () => new BatchRows(rowsOptions, buffers),
      (batch) => {
        this.#inFlight.add(batch)
        options.onBatch?.(batch)
      },
    )
    const writer = new BatchWriter<T>({
      pool,
      table,
      stream: options.stream ?? `writer:${table.signal}:${randomUUID()}`,
      content,
      partitions,
      interner: options.interner ?? new Interner(options.seriesLimits ?? DEFAULTS.seriesLimits),
      deadLetterPayload: options.deadLetterPayload ?? 'keep',
      attemptMaxMs: options.attemptMaxMs ?? DEFAULTS.attemptMaxMs,
      frozenAfterMs: options.frozenAfterMs ?? DEFAULTS.frozenAfterMs,
      onFrozenEnded: options.onFrozenEnded ?? (() => undefined),
      onRetry: (retry) => {
        this.#retries += 1
        options.onRetry?.(retry)
      },
    })
    this.#running = pipeline(
      this.#batcher,
      concurrentTransform<EncodedBatch<T>, BatchOutcome<T>>(concurrency, (encoded, signal) =>
        writer.write(encoded, signal),
      ),
      new Writable({
        objectMode: true,
        highWaterMark: concurrency,
        write: (outcome: BatchOutcome<T>, _encoding, callback) => {
          this.#settle(outcome, options.onCommitted).then(() => callback(writer.fault), callback)
        },
      }),
      // Ends all stages, also when the first of them has ended: what is written then is tried again no more.
      { signal: this.#destroyed.signal },
    )
    this.#running.catch((error: Error) => this.destroy(error))
  }

  /** What is buffered, and what became of the rest. */
  stats(): BufferStats {
    const waiting = this.#batcher.waiting
    const batches = [...this.#inFlight]
    const oldest = Math.min(waiting.oldestReadAt ?? Infinity, ...batches.map((batch) => batch.oldestReadAt))
    return {
      waitingRecords: waiting.rows,
      waitingBytes: waiting.bytes,
      oldestAgeMs: oldest === Infinity ? 0 : Math.max(0, Date.now() - oldest),
      inFlightRecords: batches.reduce((rows, batch) => rows + batch.rows, 0),
      inFlightBatches: batches.length,
      written: this.#written,
      deadLettered: this.#deadLettered,
      duplicates: this.#duplicates,
      retries: this.#retries,
    }
  }

  /** From now on batches are written as soon as anything is there, whatever their age. */
  hurry(): void {
    this.#batcher.hurry()
  }

  override _write(
    chunk: readonly unknown[] | object | DecodedChunk<T>,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    let decoded: DecodedChunk<T>
    try {
      decoded = isDecoded<T>(chunk) ? chunk : this.decoder.decodeChunk(Array.isArray(chunk) ? chunk : [chunk])
    } catch (error) {
      callback(error as Error)
      return
    }
    this.#batcher.write(decoded, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#batcher.end()
    this.#running.then(() => callback(), callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#destroyed.abort()
    this.#running.then(
      () => callback(error),
      () => callback(error),
    )
  }

  async #settle(
    outcome: BatchOutcome<T>,
    onCommitted: TelemetryWriterOptions<T>['onCommitted'],
  ): Promise<void> {
    this.#inFlight.delete(outcome.batch)
    this.#written += outcome.rowsWritten
    this.#deadLettered += outcome.deadLetters.length
    this.#duplicates += outcome.duplicates
    await onCommitted?.(outcome)
  }
}

function isDecoded<T>(chunk: object): chunk is DecodedChunk<T> {
  return 'contiguous' in chunk && 'entries' in chunk
}
