import type { Logger } from '../logger.ts'
import type { Settings } from '../settings.ts'

/** What a process does: `ingest` the consumers and maintenance, `api` all of HTTP; `/metrics` and the probes are always there. */
export type Role = 'ingest' | 'api'

export interface ServiceOptions {
  readonly settings: Settings & { readonly databaseUrl: string; readonly redisUrl: string }
  readonly roles: readonly Role[]
  readonly logger: Logger
  /** Ends waiting for the servers at start. */
  readonly stopping: AbortSignal
  /** Its `appendfsync everysec` is our own choice, which whoever starts it has told: no warning then. */
  readonly hasEmbeddedRedis?: boolean
}
