import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { unfinishedRemovals } from './removals.ts'
import { type RetentionPolicy, removesAnything } from './retention-policy.ts'
import { withRetentionSession } from './retention-session.ts'
import { type RetentionEvent, type RetentionOutcome, runRetention } from './run-retention.ts'

export interface RetentionKeeperOptions {
  /** One connection is held while it removes. */
  readonly pool: pg.Pool
  readonly policy: RetentionPolicy
  readonly hooks: RemovalHooks
  readonly metrics: Pick<
    Metrics,
    | 'retentionRuns'
    | 'retentionRemovedPartitions'
    | 'retentionRemovedRows'
    | 'retentionRemovedBytes'
    | 'retentionLastFinished'
  >
  readonly logger: Logger
  readonly firstMs?: number
  readonly intervalMs?: number
  readonly retryMs?: number
  readonly now?: () => number
}

/** A minute after the start: not while everything else begins, and soon enough for a service that is restarted every day. */
const FIRST_MS = 60_000
/** Partitions of an hour go an hour late at most. A look is some ten short queries. */
const INTERVAL_MS = 3_600_000
/** What something holds up or makes fail is tried again sooner. */
const RETRY_MS = 300_000

/**
 * Removes what is past its retention, in one process of all. Every process may run one.
 *
 *     waiting ── an hour, less or more by a quarter ──▶ running ── all gone, or another process runs ──▶ waiting
 *                                                          └── something waits or failed ──▶ waiting, five minutes
 *
 * A stop ends a run where it is: the next one, whoever's it is, goes on from there. Where nothing is set it ends by itself, once nothing is left that was begun before.
 */
export class RetentionKeeper {
  readonly #options: RetentionKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>

  constructor(options: RetentionKeeperOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    const { policy, metrics, logger, firstMs = FIRST_MS } = this.#options
    const { intervalMs = INTERVAL_MS, retryMs = RETRY_MS } = this.#options
    const isOn = removesAnything(policy)
    // So that the first one is an increase to Prometheus, too.
    if (isOn)
      for (const outcome of ['finished', 'incomplete', 'failed', 'busy'])
        metrics.retentionRuns.inc({ outcome }, 0)
    let waitMs = firstMs
    for (;;) {
      await sleep(waitMs * (0.75 + Math.random() / 2), signal).catch(() => undefined)
      if (signal.aborted) return
      let outcome: RetentionOutcome | 'busy' | 'failed' = 'failed'
      try {
        if (!isOn && (await unfinishedRemovals(this.#options.pool)).length === 0) return
        outcome = await this.#round()
      } catch (error) {
        if (signal.aborted) return
        logger.warn({ err: error }, 'retention failed; trying again')
      }
      metrics.retentionRuns.inc({ outcome })
      if (outcome === 'finished') metrics.retentionLastFinished.setToCurrentTime()
      waitMs = outcome === 'incomplete' || outcome === 'failed' ? retryMs : intervalMs
    }
  }

  async #round(): Promise<RetentionOutcome | 'busy'> {
    const { pool, policy, hooks, now = Date.now } = this.#options
    const { signal } = this.#ended
    const onEvent = (event: RetentionEvent) => this.#tell(event)
    const done = await withRetentionSession(pool, signal, (client) =>
      runRetention(client, { policy, hooks, nowMs: now(), signal, onEvent }),
    )
    return done === undefined ? 'busy' : done.result
  }

  #tell(event: RetentionEvent): void {
    const { metrics, logger } = this.#options
    const { table, partition, kind, rules } = event.removal
    switch (event.kind) {
      case 'removed': {
        const { rows, bytes } = event
        metrics.retentionRemovedRows.inc({ table }, rows)
        metrics.retentionRemovedBytes.inc({ table }, bytes)
        if (kind === 'partition') {
          metrics.retentionRemovedPartitions.inc({ table })
          logger.info({ partition, rows, bytes }, 'dropped a partition that is past its retention')
        } else if (rows > 0)
          logger.info({ partition, rules, rows }, 'deleted rows that are past their retention')
        return
      }
      case 'waiting':
        logger.warn(
          { partition, reason: event.reason },
          'a partition is detached and older transactions are in the way: late records of its time wait for them',
        )
        return
      case 'heldUp':
        logger.info({ partition, reason: event.reason }, 'a removal by retention waits; trying again')
        return
      case 'failed':
        logger.warn({ err: event.error, partition }, 'a removal by retention failed; trying again')
    }
  }
}
