import type { Cluster, Redis } from 'ioredis'
import { ObservatoryError } from './errors.ts'
import type { Rejection } from './models/rejection.ts'
import type { TelemetrySignal } from './models/telemetry-signal.ts'
import type { AddedEntry } from './producer/add-once.ts'
import { ByteBudget } from './producer/byte-budget.ts'
import type { Producer, ProducerOptions, ProducerStats } from './producer/contract.ts'
import { Delivery } from './producer/delivery.ts'
import { encodeRecord } from './producer/encode-record.ts'
import { checkLimits, type ProducerLimits } from './producer/limits.ts'
import { ARRAY_BRACKETS_BYTES, RecordBatch } from './producer/record-batch.ts'
import { createRedis, whenReady } from './redis.ts'

export type { Producer, ProducerOptions, ProducerStats } from './producer/contract.ts'
export type { ProducerLimits } from './producer/limits.ts'

/**
 * Makes a producer: records are packed into entries of form `json` and added by a script that adds each entry once, however
 * often a lost reply makes it be sent again within an hour. Two equal records that the application adds stay two. Losing the
 * connection, timeouts and a Redis that is starting, failing over or full are retried until `close`; meanwhile the bounded
 * buffer makes `add` wait. Entries may be added in another order than their records were taken over.
 *
 * @throws ObservatoryError ERR_CONFIG_INVALID for a limit out of range.
 */
export function createProducer(options: ProducerOptions): Producer {
  return new StreamProducer(options)
}

interface OpenBatch {
  readonly batch: RecordBatch
  readonly lingering: NodeJS.Timeout
}

/**
 * - open: batches fill, and leave when full, when `maxDelayMs` old, on `flush`, or when somebody waits for room.
 * - closing (`close` called): nothing is taken over, who waits for room is turned away, the rest is being delivered.
 * - closed: all acknowledged, or given up at the deadline.
 */
class StreamProducer implements Producer {
  readonly #limits: ProducerLimits
  readonly #ownConnection: Redis | undefined
  readonly #budget: ByteBudget
  readonly #delivery: Delivery
  readonly #givingUp = new AbortController()
  readonly #open = new Map<TelemetrySignal, OpenBatch>()
  readonly #unacknowledged = new Map<RecordBatch, Promise<void>>()
  readonly #counts = {
    sentRecords: 0,
    sentEntries: 0,
    repeatedRecords: 0,
    repeatedEntries: 0,
    refusedRecords: 0,
    failedRecords: 0,
  }
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  /** What a connection says while it is being taken down is no trouble. */
  #isClosed = false

  constructor(options: ProducerOptions) {
    this.#limits = checkLimits(options)
    const onError = (error: Error): void => {
      if (!this.#isClosed) options.onError?.(error)
    }
    const { redis, own } = connectionOf(options, onError)
    this.#ownConnection = own
    this.#budget = new ByteBudget(this.#limits.maxInFlightBytes)
    this.#delivery = new Delivery({
      redis,
      // A connection of ours refuses commands until it is made.
      ready: own === undefined ? Promise.resolve() : whenReady(own, this.#givingUp.signal),
      streamPrefix: options.streamPrefix ?? 'telemetry',
      retryInitialDelayMs: this.#limits.retryInitialDelayMs,
      retryMaxDelayMs: this.#limits.retryMaxDelayMs,
      onError,
      signal: this.#givingUp.signal,
    })
  }

  async add(signal: TelemetrySignal, record: object): Promise<Rejection | undefined> {
    this.#refuseIfClosing()
    const encoded = encodeRecord(record, this.#limits.maxBatchBytes - ARRAY_BRACKETS_BYTES)
    if (encoded.rejection !== undefined) return this.#refuse(1, encoded.rejection)
    const { json, bytes } = encoded.record
    if (!this.#budget.tryTake(bytes)) await this.#waitForRoom(bytes)
    this.#batchWithRoom(signal, bytes).push(json, bytes)
    if (this.#open.get(signal)?.batch.records === this.#limits.maxBatchRecords) this.#send(signal)
    return undefined
  }

  async addBatch(
    signal: TelemetrySignal,
    records: readonly object[],
    key: string,
  ): Promise<Rejection | undefined> {
    this.#refuseIfClosing()
    const batch = new RecordBatch(signal, key)
    for (const record of records) {
      const room = this.#limits.maxBatchBytes - batch.bodyBytesWith(0)
      const encoded = encodeRecord(record, room)
      if (encoded.rejection !== undefined) return this.#refuse(records.length, encoded.rejection)
      batch.push(encoded.record.json, encoded.record.bytes)
    }
    if (batch.records === 0) return undefined
    if (!this.#budget.tryTake(batch.bytes)) await this.#waitForRoom(batch.bytes)
    this.#dispatch(batch)
    return undefined
  }

  async flush(): Promise<void> {
    this.#sendAll()
    await Promise.all(this.#unacknowledged.values())
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure
  }

  close(options?: { readonly timeoutMs?: number }): Promise<void> {
    this.#closing ??= this.#shutDown(options?.timeoutMs ?? 10_000)
    return this.#closing
  }

  stats(): ProducerStats {
    let bufferedRecords = 0
    for (const { batch } of this.#open.values()) bufferedRecords += batch.records
    return {
      bufferedRecords,
      inFlightBytes: this.#budget.used,
      resentEntries: this.#delivery.resends,
      ...this.#counts,
    }
  }

  #refuseIfClosing(): void {
    if (this.#closing !== undefined) throw closedError()
  }

  #refuse(records: number, rejection: Rejection): Rejection {
    this.#counts.refusedRecords += records
    return rejection
  }

  async #waitForRoom(bytes: number): Promise<void> {
    this.#sendAll()
    await this.#budget.take(bytes)
    if (this.#closing === undefined) return
    this.#budget.giveBack(bytes)
    throw closedError()
  }

  #batchWithRoom(signal: TelemetrySignal, bytes: number): RecordBatch {
    const filling = this.#open.get(signal)?.batch
    if (filling !== undefined && filling.bodyBytesWith(bytes) <= this.#limits.maxBatchBytes) return filling
    this.#send(signal)
    const batch = new RecordBatch(signal)
    const lingering = setTimeout(() => this.#send(signal), this.#limits.maxDelayMs)
    this.#open.set(signal, { batch, lingering })
    return batch
  }

  #sendAll(): void {
    for (const signal of [...this.#open.keys()]) this.#send(signal)
  }

  #send(signal: TelemetrySignal): void {
    const open = this.#open.get(signal)
    if (open === undefined) return
    clearTimeout(open.lingering)
    this.#open.delete(signal)
    this.#dispatch(open.batch)
  }

  #dispatch(batch: RecordBatch): void {
    const delivered = this.#delivery.deliver(batch).then(
      (added) => this.#settle(batch, () => this.#countSent(batch, added)),
      (error: Error) => this.#settle(batch, () => this.#countFailed(batch, error)),
    )
    this.#unacknowledged.set(batch, delivered)
  }

  /** A batch that `close` gave up is settled already: what its send still brings is no longer counted. */
  #settle(batch: RecordBatch, count: () => void): void {
    if (!this.#unacknowledged.delete(batch)) return
    count()
    this.#budget.giveBack(batch.bytes)
  }

  #countSent(batch: RecordBatch, added: AddedEntry): void {
    // A repeat of a key of our own, or after a resend, is our own first send, whose answer was lost.
    const isOthers = added.repeated && batch.isKeyShared && batch.attempts === 1
    this.#counts[isOthers ? 'repeatedRecords' : 'sentRecords'] += batch.records
    this.#counts[isOthers ? 'repeatedEntries' : 'sentEntries']++
  }

  #countFailed(batch: RecordBatch, error: Error): void {
    this.#counts.failedRecords += batch.records
    this.#failure ??= error
  }

  async #shutDown(timeoutMs: number): Promise<void> {
    this.#budget.refuseWaiting(closedError())
    let giveUp: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      giveUp = setTimeout(() => reject(this.#giveUp(timeoutMs)), timeoutMs)
    })
    try {
      await Promise.race([this.flush(), deadline])
    } finally {
      clearTimeout(giveUp)
      this.#isClosed = true
      this.#ownConnection?.disconnect()
    }
  }

  #giveUp(timeoutMs: number): ObservatoryError {
    let records = 0
    for (const batch of this.#unacknowledged.keys()) records += batch.records
    const message = `Redis did not acknowledge ${records} records within ${timeoutMs} ms; they may or may not have been added`
    const error = new ObservatoryError('ERR_SERVER_UNREACHABLE', message)
    for (const batch of this.#unacknowledged.keys()) {
      this.#settle(batch, () => this.#countFailed(batch, error))
    }
    this.#givingUp.abort(error)
    return error
  }
}

function connectionOf(
  { url, redis }: ProducerOptions,
  onError: (error: Error) => void,
): { readonly redis: Redis | Cluster; readonly own: Redis | undefined } {
  if (redis !== undefined) return { redis, own: undefined }
  if (url === undefined)
    throw new ObservatoryError('ERR_CONFIG_INVALID', 'producer: give either url or redis')
  const own = createRedis({ url, role: 'commands', name: 'producer', onError })
  return { redis: own, own }
}

function closedError(): ObservatoryError {
  return new ObservatoryError(
    'ERR_PRODUCER_CLOSED',
    'the producer is closed and takes nothing more; create a new one',
  )
}
