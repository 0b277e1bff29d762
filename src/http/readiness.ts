import type { Redis } from 'ioredis'
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import { checkHealth } from '../pool.ts'
import { sharedRead } from '../shared-read.ts'

/** Whether the service does its work: `ready`, or the reasons why it does not. */
export interface Readiness {
  readonly ready: boolean
  readonly problems: readonly string[]
}

export interface ReadinessSources {
  readonly phase: () => 'starting' | 'running' | 'stopping'
  /** One that no query of a client or batch can exhaust. */
  readonly pool: pg.Pool
  readonly redis: Redis
  /** Each by what it works on. */
  readonly workers: ReadonlyMap<string, { readonly problem: string | undefined }>
}

/** How long a probe waits for PostgreSQL, in milliseconds; connecting included. */
const CHECK_TIMEOUT_MS = 2000

/** The check behind `/readyz`. Never throws; probes that come at once share what they ask of PostgreSQL. */
export function readinessCheck({ phase, pool, redis, workers }: ReadinessSources): () => Promise<Readiness> {
  const checkDatabase = sharedRead(() => checkHealth(pool, CHECK_TIMEOUT_MS), CHECK_TIMEOUT_MS)
  return async () => {
    const database = await checkDatabase()
    const problems: string[] = []
    if (phase() !== 'running') problems.push(`the service is ${phase()}`)
    if (database === undefined) problems.push(`PostgreSQL: no answer within ${CHECK_TIMEOUT_MS} ms`)
    else if (!database.ok) problems.push(`PostgreSQL: ${messageOf(database.error)}`)
    if (redis.status !== 'ready') problems.push(`Redis: the connection is ${redis.status}`)
    for (const [work, { problem }] of workers) {
      if (problem !== undefined) problems.push(`ingest of ${work}: ${problem}`)
    }
    return { ready: problems.length === 0, problems }
  }
}
