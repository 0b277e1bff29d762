import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import { cutConnection } from '../postgres-connection.ts'
import { pruneLedger, pruneWriterLedgers } from '../retention/prune-ledger.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { removeDeadConsumers } from './dead-consumers.ts'
import { oldestRedeliverable } from './oldest-redeliverable.ts'
import { StreamHistory } from './stream-history.ts'
import { type TrimOutcome, trimStream } from './trim-stream.ts'

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
  /** Between two looks at the streams. */
  readonly intervalMs?: number
}

/** Often enough that a stream which is ingested at full speed is not much longer than what is kept. */
const TRIM_INTERVAL_MS = 5_000
const PRUNE_INTERVAL_MS = 3_600_000
/** Pruning goes by short transactions, and goes on the next time. */
const PRUNE_MAX_MS = 600_000
/** A group that needs the same entry as at so many looks before does not go on: a slow one moves in that time. */
const HELD_UP_LOOKS = 3

interface HeldUp {
  readonly group: string
  /** The entry that it does not get past. */
  readonly from: string
  readonly looks: number
}

/** Held by whoever prunes; another process has nothing to do then. */
const PRUNE_LOCK = `hashtextextended('observatory ledger pruning', 0)`

/**
 * Keeps streams and ledger from growing without end, and notices what others do to them. It never removes what any group still needs, nor
 * the memory of what could be delivered again. Every process may run one: each step is safe beside others of its kind.
 */
export class StreamKeeper {
  readonly #options: StreamKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<unknown>
  readonly #histories = new Map(TELEMETRY_SIGNALS.map((signal) => [signal, new StreamHistory()]))
  readonly #heldUp = new Map<TelemetrySignal, HeldUp>()

  constructor(options: StreamKeeperOptions) {
    this.#options = options
    // Pruning may take minutes, and PostgreSQL be silent: neither holds up trimming.
    this.#running = Promise.all([this.#keepStreams(), this.#keepLedger()])
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #keepStreams(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      await Promise.all(TELEMETRY_SIGNALS.map((each) => this.#orWarn(() => this.#keepStream(each))))
      await sleep(this.#options.intervalMs ?? TRIM_INTERVAL_MS, signal).catch(() => undefined)
    }
  }

  async #keepLedger(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      await this.#orWarn(() => this.#prune())
      await sleep(PRUNE_INTERVAL_MS, signal).catch(() => undefined)
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
    await this.#watchHistory(signal)
    const outcome = await trimStream(redis, group, keepEntries)
    if (outcome === undefined) return
    metrics.entriesTrimmed.inc({ signal }, outcome.trimmed)
    this.#watchHeldUp(signal, outcome.heldUpBy)
    if (outcome.destroyedUnread > 0) {
      metrics.entriesLost.inc({ signal }, outcome.destroyedUnread)
      logger.error(
        { stream: group.stream, count: outcome.destroyedUnread },
        'entries were removed from the stream before they were read, and are lost: somebody trims it (XTRIM, XADD MAXLEN) or deletes from it',
      )
    }
    const removed = await removeDeadConsumers(redis, { ...group, minIdleMs: deadConsumerIdleMs, isAlive })
    if (removed.length > 0)
      logger.debug({ stream: group.stream, consumers: removed }, 'removed consumers that are gone')
  }

  /** What is gone with a history cannot be counted, for nobody knows its ids; what was seen of it last is told. */
  async #watchHistory(signal: TelemetrySignal): Promise<void> {
    const { redis, groupOf, metrics, logger } = this.#options
    const group = groupOf(signal)
    const ended = await this.#histories.get(signal)?.look(redis, group)
    if (ended === undefined) return
    metrics.streamResets.inc({ signal })
    logger.error(
      { stream: group.stream, lastId: ended.lastId, unread: ended.unread, pending: ended.pending },
      'the stream was deleted or emptied, or Redis came back with an earlier state of it: what was unread then, or was added since the last look, is lost unless a worker had read it',
    )
  }

  #watchHeldUp(signal: TelemetrySignal, by: TrimOutcome['heldUpBy']): void {
    const { groupOf, metrics, logger } = this.#options
    const before = this.#heldUp.get(signal)
    if (by === undefined) this.#heldUp.delete(signal)
    else {
      const stands = before?.group === by.group && before.from === by.from
      this.#heldUp.set(signal, { ...by, looks: stands ? before.looks + 1 : 0 })
    }
    const { looks = 0, group } = this.#heldUp.get(signal) ?? {}
    metrics.trimmingHeldUp.set({ signal }, looks >= HELD_UP_LOOKS ? 1 : 0)
    if (looks !== HELD_UP_LOOKS) return
    logger.error(
      { stream: groupOf(signal).stream, group },
      'a group that does not go on keeps the stream from being trimmed: let it read, or XGROUP DESTROY it',
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
    const limit = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(PRUNE_MAX_MS)])
    const cut = () =>
      cutConnection(client, 'Pruning the ledger was ended; what is left is pruned the next time')
    limit.addEventListener('abort', cut, { once: true })
    try {
      const { rows } = await client.query(`select pg_try_advisory_lock(${PRUNE_LOCK}) as locked`)
      if (rows[0]?.locked !== true) return
      let deleted = await pruneWriterLedgers(client, keepDays)
      for (const { stream, redeliverableFrom } of from) {
        if (redeliverableFrom === undefined) continue
        deleted += await pruneLedger(client, { stream, keepDays, redeliverableFrom })
      }
      if (deleted > 0) logger.debug({ rows: deleted }, 'pruned the ledger')
    } finally {
      limit.removeEventListener('abort', cut)
      // Closing the connection gives back the lock.
      client.release(true)
    }
  }
}
