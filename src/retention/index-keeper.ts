import type pg from 'pg'
import { sqlStateOf } from '../errors.ts'
import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { IndexedPartitions } from '../settings.ts'
import { buildIndex } from './build-index.ts'
import { beginBuildSession } from './build-session.ts'
import { findMissingIndexes, type MissingIndex } from './missing-indexes.ts'
import { INDEXED_TABLES } from './partition-indexes.ts'
import { withCancellableClient } from './with-cancellable-client.ts'

export interface IndexKeeperOptions {
  /** Its one connection is held for as long as there is something to build. */
  readonly pool: pg.Pool
  readonly partitions: Exclude<IndexedPartitions, 'off'>
  readonly metrics: Pick<
    Metrics,
    | 'partitionIndexesMissing'
    | 'partitionIndexesBuilt'
    | 'partitionIndexesFailed'
    | 'partitionIndexBuildSeconds'
  >
  readonly logger: Logger
  /** Between two looks while nothing is to be built. */
  readonly intervalMs?: number
  /** Between two builds, at least. */
  readonly pauseMs?: number
  readonly now?: () => number
}

/** A look is two short queries a table. */
const INTERVAL_MS = 60_000
/** An index that could not be built is tried again after this long: what it failed of (a full disk, an old transaction) seldom passes at once. */
const RETRY_MS = 600_000
const PAUSE_MS = 1000
/**
 * How long after its end a partition counts as closed. Batches, queues and senders that were away for a moment are late by less, so what comes
 * after it is little, and finds an index that takes longer to write to; a day's partition is scanned for 4 % longer.
 */
export const CLOSED_AFTER_MS = 3_600_000

/**
 * Builds the indexes of partitions, one at a time, the newest partition first, in one process of all. Every process may run one.
 *
 *     waiting ── interval ──▶ looking ── missing, and the lock is ours ──▶ building ── done or failed ──▶ pausing, as long as it built ──▶ looking
 *        ▲                       │
 *        └── nothing to build, another process builds, connection lost (with it the lock; what was built is INVALID and made again) ──┘
 *
 * A stop ends each of them: a build by cancelling it in the server.
 */
export class IndexKeeper {
  readonly #options: IndexKeeperOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  /** When an index that failed is tried again. Only those that are still missing. */
  #retryAt: ReadonlyMap<string, number> = new Map()

  constructor(options: IndexKeeperOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    const { logger, intervalMs = INTERVAL_MS } = this.#options
    while (!signal.aborted) {
      try {
        await this.#round()
      } catch (error) {
        if (!signal.aborted)
          logger.warn({ err: error }, 'looking after the indexes of partitions failed; trying again')
      }
      await sleep(intervalMs, signal).catch(() => undefined)
    }
  }

  async #round(): Promise<void> {
    const { signal } = this.#ended
    await withCancellableClient(this.#options.pool, signal, (client) => this.#build(client))
  }

  async #build(client: pg.ClientBase): Promise<void> {
    const { pauseMs = PAUSE_MS } = this.#options
    const mayBuild = await beginBuildSession(client)
    for (;;) {
      // Looked for under the lock: what was missing before may have been built by whoever had it.
      const index = await this.#next(client)
      if (index === undefined || !mayBuild) return
      const startedAt = performance.now()
      await this.#tryToBuild(client, index)
      // So that ingest has the server to itself for half of the time, however much there is to build.
      await sleep(Math.max(pauseMs, performance.now() - startedAt), this.#ended.signal)
    }
  }

  /** What is to be built now. */
  async #next(client: pg.ClientBase): Promise<MissingIndex | undefined> {
    const { partitions, metrics, now = Date.now } = this.#options
    const endedBefore = partitions === 'hot' ? Number.POSITIVE_INFINITY : now() - CLOSED_AFTER_MS
    const missing: MissingIndex[] = []
    for (const table of INDEXED_TABLES) {
      const ofTable = await findMissingIndexes(client, table, endedBefore)
      metrics.partitionIndexesMissing.set({ table }, ofTable.length)
      missing.push(...ofTable)
    }
    const names = new Set(missing.map(({ name }) => name))
    this.#retryAt = new Map([...this.#retryAt].filter(([name]) => names.has(name)))
    return missing
      .filter(({ name, isBusy }) => !isBusy && (this.#retryAt.get(name) ?? 0) <= performance.now())
      .sort((a, b) => b.fromMs - a.fromMs)[0]
  }

  async #tryToBuild(client: pg.ClientBase, index: MissingIndex): Promise<void> {
    const { metrics, logger } = this.#options
    const { name, table, invalid } = index
    const startedAt = performance.now()
    if (invalid !== null) logger.warn({ index: name }, 'an index is INVALID: making it again')
    try {
      await buildIndex(client, index)
    } catch (error) {
      if (this.#ended.signal.aborted) throw error
      metrics.partitionIndexesFailed.inc({ table })
      // Without one the connection was lost, not the index refused.
      if (sqlStateOf(error) === undefined) throw error
      this.#retryAt = new Map(this.#retryAt).set(name, performance.now() + RETRY_MS)
      logger.warn({ err: error, index: name }, 'building an index failed; trying again in ten minutes')
      return
    }
    const seconds = (performance.now() - startedAt) / 1000
    metrics.partitionIndexesBuilt.inc({ table })
    metrics.partitionIndexBuildSeconds.set({ table }, seconds)
    logger.debug({ index: name, seconds: Number(seconds.toFixed(1)) }, 'built the index of a partition')
  }
}
