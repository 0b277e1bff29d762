import type { Cluster, Redis } from 'ioredis'
import type { Rejection } from '../models/rejection.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { ProducerLimits } from './limits.ts'

/** Where to add, and how much to hold. Give either `url` (a connection of its own) or `redis` (yours, left open). */
export interface ProducerOptions extends Partial<ProducerLimits> {
  /** Redis URL. The producer makes, watches and closes its own connection. */
  readonly url?: string
  /**
   * A connection of yours. Set its `commandTimeout`: without one a server that went silent is never given up. Its
   * `keyPrefix`, if any, goes before the stream's name too.
   */
  readonly redis?: Redis | Cluster
  /** The streams are `{streamPrefix}:traces`, `:metrics` and `:logs`. Default `telemetry`. */
  readonly streamPrefix?: string
  /** Told of lost connections, of what is being retried, and of every batch that Redis refuses for good. */
  readonly onError?: (error: Error) => void
}

export interface ProducerStats {
  /** Records in batches that are still filling. */
  readonly bufferedRecords: number
  /** Bytes of JSON taken over and not yet acknowledged by Redis, filling batches included. Never above `maxInFlightBytes`. */
  readonly inFlightBytes: number
  /** Records added and acknowledged, in this many entries. */
  readonly sentRecords: number
  readonly sentEntries: number
  /** Records and entries acknowledged, but not added: another run had done it under the same key. */
  readonly repeatedRecords: number
  readonly repeatedEntries: number
  /** Sends beyond the first of an entry. */
  readonly resentEntries: number
  /** Records handed back to the caller with a {@link Rejection}. */
  readonly refusedRecords: number
  /** Records taken over that did not reach Redis: refused by it for good, or given up by `close`. */
  readonly failedRecords: number
}

/** Adds telemetry to Redis streams. Made by `createProducer`. */
export interface Producer {
  /**
   * Takes a record over. Resolves when there was room for it, which is how a slow or absent Redis slows the caller: await it.
   *
   * @returns undefined, or why the record was refused (not an object, not sayable in JSON, too large for an entry).
   * @throws ObservatoryError ERR_PRODUCER_CLOSED after `close`.
   */
  add(signal: TelemetrySignal, record: object): Promise<Rejection | undefined>
  /**
   * Takes records over as one entry of their own under the caller's key: an entry added under the same key within the last
   * hour, by whomever, is not added again. All or none are taken.
   */
  addBatch(signal: TelemetrySignal, records: readonly object[], key: string): Promise<Rejection | undefined>
  /**
   * Resolves when Redis has acknowledged everything taken over so far.
   *
   * @throws ObservatoryError ERR_SERVER_UNSUITABLE if Redis refused a batch for good since the last flush.
   */
  flush(): Promise<void>
  /**
   * Takes nothing more, flushes, and closes the connection if it is the producer's own. Idempotent.
   *
   * @throws what `flush` throws; ObservatoryError ERR_SERVER_UNREACHABLE if Redis did not acknowledge all within `timeoutMs`
   *   (default 10,000). What is then left may or may not have been added.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>
  stats(): ProducerStats
}
