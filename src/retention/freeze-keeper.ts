import type pg from 'pg'
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../errors.ts'
import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { beginBuildSession } from './build-session.ts'
import { PARTITIONED_TABLES } from './partitions.ts'
import { findUnfrozen, type UnfrozenPartition } from './unfrozen-partitions.ts'
import { withCancellableClient } from './with-cancellable-client.ts'

export interface FreezeKeeperOptions {
  /** One connection is held for as long as there is something to vacuum. */
  readonly pool: pg.Pool
  /** Whether partitions get indexes, which are built first. */
  readonly isIndexed: boolean
  readonly metrics: Pick<Metrics, 'partitionsUnfrozen' | 'partitionsVacuumed' | 'partitionVacuumsFailed'>
  readonly logger: Logger
  readonly intervalMs?: number
  /** Between two vacuums of a partition, at least. */
  readonly repeatAfterMs?: number
  /** Between two vacuums, at least. */
  readonly pauseMs?: number
  readonly now?: () => number
}

const INTERVAL_MS = 60_000
const RETRY_MS = 600_000
const PAUSE_MS = 1000

/**
 * A vacuum waits for whoever builds an index or detaches the partition, and nobody else for it: reads and COPY go on. It takes the disk for a part of the time, as
 * autovacuum does by its default (2 ms after every ten pages that it writes).
 */
const SETTINGS = `set lock_timeout = '10s'; set vacuum_cost_delay = '2ms'`

/**
 * Freezes and vacuums closed partitions, one at a time, in one process of all, under the lock of whoever builds indexes: a partition that nobody writes to any more is
 * read once more, now, and not when PostgreSQL must do it to all of them, to keep its transaction ids from wrapping around.
 *
 *     waiting ── interval ──▶ looking ── some, and the lock is ours ──▶ vacuuming ── done or failed ──▶ pausing, as long as it took ──▶ looking
 *        ▲                       │
 *        └── none, another process builds, connection lost ──┘
 *
 * A stop ends each of them: a vacuum by cancelling it in the server. What it has done stays done.
 */
export class FreezeKeeper {
  readonly #options: FreezeKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  /** When a partition whose vacuum failed is tried again. */
  #retryAt: ReadonlyMap<string, number> = new Map()

  constructor(options: FreezeKeeperOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    const { pool, logger, intervalMs = INTERVAL_MS } = this.#options
    while (!signal.aborted) {
      try {
        await withCancellableClient(pool, signal, (client) => this.#vacuumAll(client))
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'vacuuming closed partitions failed; trying again')
      }
      await sleep(intervalMs, signal).catch(() => undefined)
    }
  }

  async #vacuumAll(client: pg.ClientBase): Promise<void> {
    const { pauseMs = PAUSE_MS } = this.#options
    // Looked for first: whoever builds has the lock for long, and mostly there is nothing to do.
    if ((await this.#next(client)) === undefined || !(await beginBuildSession(client))) return
    await client.query(SETTINGS)
    for (;;) {
      const partition = await this.#next(client)
      if (partition === undefined) return
      const startedAt = performance.now()
      await this.#vacuum(client, partition)
      await sleep(Math.max(pauseMs, performance.now() - startedAt), this.#ended.signal)
    }
  }

  async #next(client: pg.ClientBase): Promise<UnfrozenPartition | undefined> {
    const { isIndexed, repeatAfterMs, metrics, now = Date.now } = this.#options
    const unfrozen: UnfrozenPartition[] = []
    for (const table of PARTITIONED_TABLES) {
      const ofTable = await findUnfrozen(client, table, { nowMs: now(), isIndexed, repeatAfterMs })
      metrics.partitionsUnfrozen.set({ table }, ofTable.length)
      unfrozen.push(...ofTable)
    }
    const names = new Set(unfrozen.map(({ partition }) => partition))
    this.#retryAt = new Map([...this.#retryAt].filter(([name]) => names.has(name)))
    return unfrozen
      .filter(({ partition, isBusy }) => !isBusy && (this.#retryAt.get(partition) ?? 0) <= performance.now())
      .sort((a, b) => b.fromMs - a.fromMs)[0]
  }

  async #vacuum(client: pg.ClientBase, { table, partition }: UnfrozenPartition): Promise<void> {
    const { metrics, logger } = this.#options
    const startedAt = performance.now()
    try {
      await client.query(`vacuum (freeze, analyze) ${partition}`)
    } catch (error) {
      if (this.#ended.signal.aborted) throw error
      const state = sqlStateOf(error)
      // Without one the connection was lost.
      if (state === undefined) throw error
      this.#retryAt = new Map(this.#retryAt).set(partition, performance.now() + RETRY_MS)
      // Autovacuum, or somebody by hand, was faster.
      if (state === LOCK_NOT_AVAILABLE) return
      metrics.partitionVacuumsFailed.inc({ table })
      logger.warn(
        { err: error, partition },
        'vacuuming a closed partition failed; trying again in ten minutes',
      )
      return
    }
    metrics.partitionsVacuumed.inc({ table })
    const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1))
    logger.debug({ partition, seconds }, 'vacuumed a closed partition')
  }
}
