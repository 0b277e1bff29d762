import type pg from 'pg'
import type { Releasers } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import { createPool, type PoolStats, poolStats } from './pool.ts'
import { type PoolName, poolSizes } from './pool-sizes.ts'
import type { Settings } from './settings.ts'

export interface ServicePoolsOptions {
  readonly settings: Settings & { readonly databaseUrl: string }
  readonly logger: Logger
}

/** The PostgreSQL pools that one service has open. */
export class ServicePools {
  readonly #options: ServicePoolsOptions
  readonly #releasers: Releasers
  readonly #pools = new Map<PoolName, pg.Pool>()

  constructor(options: ServicePoolsOptions, releasers: Releasers) {
    this.#options = options
    this.#releasers = releasers
  }

  /** Opens a pool, once. The releasers end it. */
  open(name: PoolName): pg.Pool {
    const { settings, logger } = this.#options
    const pool = createPool({
      max: poolSizes(settings)[name],
      ...(name === 'api' && {
        statementTimeoutMs: settings.statementTimeoutMs,
        rowsTimeoutMs: settings.queryTimeoutMs,
      }),
      databaseUrl: settings.databaseUrl,
      applicationName: `observatory:${name}`,
      onError: (error) => logger.warn({ err: error, pool: name }, 'a PostgreSQL connection was lost'),
    })
    this.#pools.set(name, pool)
    this.#releasers.defer(`PostgreSQL pool (${name})`, () => pool.end())
    return pool
  }

  /** Counts of the connections of each. */
  stats(): ReadonlyMap<PoolName, PoolStats> {
    return new Map([...this.#pools].map(([name, pool]) => [name, poolStats(pool)]))
  }
}
