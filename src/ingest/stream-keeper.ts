import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import { pruneLedger, pruneWriterLedgers } from '../retention/prune-ledger.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { removeDeadConsumers } from './dead-consumers.ts'
import { oldestRedeliverable } from './oldest-redeliverable.ts'
import { trimStream } from './trim-stream.ts'

export interface StreamKeeperOptions {
  readonly redis: Redis
  readonly pool: pg.Pool
  readonly groupOf: (signal: TelemetrySignal) => GroupOfStream
  readonly isAlive: (consumer: string) => Promise<boolean>
  readonly keepEntries: number
  readonly ledgerKeepDays: number
  readonly deadConsumerIdleMs: number
  readonly metrics: Metrics
  readonly logger: Logger
}

/** Often enough that a stream which is ingested at full speed is not much longer than what is kept. */
const TRIM_INTERVAL_MS = 5_000
const PRUNE_INTERVAL_MS = 3_600_000

/** Held by whoever prunes; another process has nothing to do then. */
const PRUNE_LOCK = `hashtextextended('observatory ledger pruning', 0)`

/**
 * Keeps streams and ledger from growing without end, and notices what others do to them. It never removes what any group still needs, nor
 * the memory of what could be delivered again. Every process may run one: each step is safe beside others of its kind.
 */
export class StreamKeeper {
  readonly #options: StreamKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  readonly #heldUpBy = new Map<TelemetrySignal, string | undefined>()
  readonly #destroyed = new Map<TelemetrySignal, number>()

  constructor(options: StreamKeeperOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    let pruneAt = performance.now()
    while (!signal.aborted) {
      await Promise.all(TELEMETRY_SIGNALS.map((each) => this.#orWarn(() => this.#keepStream(each))))
      if (performance.now() >= pruneAt) {
        pruneAt = performance.now() + PRUNE_INTERVAL_MS
        await this.#orWarn(() => this.#prune())
      }
      await sleep(TRIM_INTERVAL_MS, signal).catch(() => undefined)
    }
  }

  async #orWarn(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#ended.signal.aborted)
        this.#options.logger.warn({ err: error }, 'looking after a stream failed; trying again')
    }
  }

  async #keepStream(signal: TelemetrySignal): Promise<void> {
    const { redis, groupOf, keepEntries, isAlive, deadConsumerIdleMs, metrics, logger } = this.#options
    const group = groupOf(signal)
    const outcome = await trimStream(redis, group, keepEntries)
    if (outcome === undefined) return
    const { trimmed, heldUpBy, destroyedUnread } = outcome
    metrics.entriesTrimmed.inc({ signal }, trimmed)
    metrics.trimmingHeldUp.set({ signal }, heldUpBy === undefined ? 0 : 1)
    if (heldUpBy !== undefined && heldUpBy !== this.#heldUpBy.get(signal)) {
      logger.warn(
        { stream: group.stream, group: heldUpBy },
        'a group that does not go on keeps the stream from being trimmed: let it read, or XGROUP DESTROY it',
      )
    }
    this.#heldUpBy.set(signal, heldUpBy)
    this.#countDestroyed(signal, destroyedUnread)
    const removed = await removeDeadConsumers(redis, { ...group, minIdleMs: deadConsumerIdleMs, isAlive })
    if (removed.length > 0)
      logger.info({ stream: group.stream, consumers: removed }, 'removed consumers that are gone')
  }

  /** The number shrinks as the group reads on past the gap: what it grows by is new. */
  #countDestroyed(signal: TelemetrySignal, destroyed: number | undefined): void {
    const { groupOf, metrics, logger } = this.#options
    const grown = (destroyed ?? 0) - (this.#destroyed.get(signal) ?? 0)
    this.#destroyed.set(signal, destroyed ?? 0)
    if (grown <= 0) return
    metrics.entriesLost.inc({ signal }, grown)
    logger.error(
      { stream: groupOf(signal).stream, count: grown },
      'entries were removed from the stream before they were read, and are lost: somebody trims it (XTRIM, XADD MAXLEN) or deletes from it',
    )
  }

  async #prune(): Promise<void> {
    const { redis, pool, groupOf, ledgerKeepDays: keepDays, logger } = this.#options
    const from = await Promise.all(
      TELEMETRY_SIGNALS.map(async (signal) => {
        const { stream } = groupOf(signal)
        return { stream, redeliverableFrom: await oldestRedeliverable(redis, stream) }
      }),
    )
    const client = await pool.connect()
    try {
      const { rows } = await client.query(`select pg_try_advisory_lock(${PRUNE_LOCK}) as locked`)
      if (rows[0]?.locked !== true) return
      let deleted = await pruneWriterLedgers(client, keepDays)
      for (const { stream, redeliverableFrom } of from) {
        if (redeliverableFrom === undefined) continue
        deleted += await pruneLedger(client, { stream, keepDays, redeliverableFrom })
      }
      if (deleted > 0) logger.info({ rows: deleted }, 'pruned the ledger')
    } finally {
      // Closing the connection gives back the lock.
      client.release(true)
    }
  }
}
