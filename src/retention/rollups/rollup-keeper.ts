import type pg from 'pg'
import { sleep } from '../../lifecycle.ts'
import type { Logger } from '../../logger.ts'
import type { Metrics } from '../../metrics.ts'
import { withCancellableClient } from '../with-cancellable-client.ts'
import { CHANGES_REMEMBERED_MS } from './changed-minutes.ts'
import { rollUpNewestHour } from './roll-up.ts'
import { METRIC_ROLLUP, type MetricRollup, ROLLUPS, type Rollup } from './rollup.ts'
import { tryToLockRollups } from './rollup-lock.ts'

export interface RollupKeeperOptions {
  /** Of one connection, which is held while there is something to do. */
  readonly pool: pg.Pool
  readonly metrics: Pick<Metrics, 'rollupsPending' | 'rollupsMade' | 'rollupsLastFinished'>
  readonly logger: Logger
  /** Between two looks. */
  readonly intervalMs?: number
  readonly now?: () => number
}

const ALL_ROLLUPS = [...ROLLUPS, METRIC_ROLLUP]
const INTERVAL_MS = 10_000
/** A minute is rolled up so long after its end: most of what is late has come by then, and a minute is seldom rolled up twice. */
const SETTLE_MS = 30_000
/** What of one connection's time rollups may take; ingest and queries have the rest of the server. */
const SHARE = 0.1
/**
 * What was taken up is remembered for an hour after that: a cached answer is no older (docs/decisions/0024-rollups.md). Counted from when it was taken up, and so from a time
 * at which it had committed.
 */
const FORGET = `delete from changed_minutes where rolled_up_at < now() - interval '${CHANGES_REMEMBERED_MS} ms' and pending is null`

/**
 * Makes rollups of what has changed, an hour at a time, the newest first, in one process of all. Every process may run one.
 *
 *     waiting ── interval ──▶ looking ── the lock is ours, and minutes that are over have changed ──▶ rolling up ──▶ pausing, nine times as long ──▶ looking
 *        ▲                       │
 *        └── nothing to do, another process does it, connection lost ──┘
 *
 * Nothing is kept but in the database: whoever comes next goes on.
 */
export class RollupKeeper {
  readonly #options: RollupKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>

  constructor(options: RollupKeeperOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    const { pool, metrics, logger, intervalMs = INTERVAL_MS } = this.#options
    // So that it is seen where none ever comes to its end, too.
    for (const each of ALL_ROLLUPS) metrics.rollupsLastFinished.setToCurrentTime({ signal: each.signal })
    while (!signal.aborted) {
      try {
        await withCancellableClient(pool, signal, (client) => this.#rollUpAll(client))
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'rolling up failed; trying again')
      }
      await sleep(intervalMs, signal).catch(() => undefined)
    }
  }

  /** Closing the connection gives back the lock. */
  async #rollUpAll(client: pg.ClientBase): Promise<void> {
    if (!(await tryToLockRollups(client))) {
      // What another process does makes what was seen here stale.
      this.#options.metrics.rollupsPending.reset()
      return
    }
    for (const rollup of ALL_ROLLUPS) await this.#rollUp(client, rollup)
    await client.query(FORGET)
  }

  async #rollUp(client: pg.ClientBase, rollup: Rollup | MetricRollup): Promise<void> {
    const { metrics, now = Date.now } = this.#options
    for (;;) {
      const startedAt = performance.now()
      const before = Math.floor((now() - SETTLE_MS) / 60_000)
      const { minutes, left } = await rollUpNewestHour(client, rollup, before)
      metrics.rollupsMade.inc({ signal: rollup.signal }, minutes)
      metrics.rollupsPending.set({ signal: rollup.signal }, left)
      if (left === 0) return metrics.rollupsLastFinished.setToCurrentTime({ signal: rollup.signal })
      await sleep((performance.now() - startedAt) * (1 / SHARE - 1), this.#ended.signal)
    }
  }
}
