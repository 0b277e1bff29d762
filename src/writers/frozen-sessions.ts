import type pg from 'pg'
import { queryWithin } from '../postgres-connection.ts'

/** Whatever took the lock may have taken this connection, too. */
const QUERY_MAX_MS = 10_000

/** Sessions of ours that wait for their client inside a transaction, and what of them moves when it does something. */
const WAITING = `
  select pid, concat_ws('/', pid, backend_start, xact_start, state_change, bytes_processed) as moment,
         (extract(epoch from clock_timestamp() - state_change) * 1000)::float8 as unchanged_ms,
         c.pid is not null as is_copying
    from pg_stat_activity a left join pg_stat_progress_copy c using (pid)
   where a.application_name = 'observatory:ingest' and a.datname = current_database() and a.usename = current_user
     and pid <> pg_backend_pid() and a.xact_start is not null and a.wait_event in ('ClientRead', 'ClientWrite')`

interface WaitingSession {
  readonly pid: number
  readonly moment: string
  readonly unchanged_ms: number
  readonly is_copying: boolean
}

/**
 * Ends sessions of ours whose client has done nothing inside a transaction for `frozenAfterMs`: its process is frozen, or the network between
 * swallows what it sends. No timeout of PostgreSQL ends a COPY whose client is silent, and what the transaction has locked would stay locked.
 * A process that wakes up finds its connection closed and tries again; what it held is written once either way.
 *
 * PostgreSQL says since when a session idles, but of a COPY only how many bytes it took. So a COPY is ended when it has not taken any between a
 * look and another one, `frozenAfterMs` later: a slow one that is alive is left alone.
 */
export class FrozenSessions {
  readonly #pool: Pick<pg.ClientBase, 'query'>
  readonly #frozenAfterMs: number
  /** When a COPY was first seen as it is. Only those that the last look found: at most as many as there are connections. */
  #firstSeen: ReadonlyMap<string, number> = new Map()

  constructor(pool: Pick<pg.ClientBase, 'query'>, frozenAfterMs: number) {
    this.#pool = pool
    this.#frozenAfterMs = frozenAfterMs
  }

  /** Looks once; to be called again for as long as something waits for a lock. @returns how many sessions were ended. */
  async end(): Promise<number> {
    const { rows } = await queryWithin(this.#pool, QUERY_MAX_MS, WAITING)
    const now = performance.now()
    const seen = this.#firstSeen
    const waiting = rows as WaitingSession[]
    this.#firstSeen = new Map(waiting.map(({ moment }) => [moment, seen.get(moment) ?? now]))
    const frozen = waiting.filter(({ moment, unchanged_ms, is_copying }) => {
      const unchangedMs = is_copying ? now - (seen.get(moment) ?? now) : unchanged_ms
      return unchangedMs >= this.#frozenAfterMs
    })
    if (frozen.length === 0) return 0
    const text = `select pg_terminate_backend(pid) from (${WAITING}) as waiting where moment = any ($1)`
    const ended = await queryWithin(this.#pool, QUERY_MAX_MS, text, [frozen.map(({ moment }) => moment)])
    return ended.rowCount ?? 0
  }
}
