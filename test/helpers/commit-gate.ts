import type pg from 'pg'
import { ObservatoryError } from '../../src/errors.ts'

/** What becomes of a COMMIT: `lose` carries it out and loses the answer, `rollback` loses the connection before. */
export type CommitFate = 'commit' | 'lose' | 'rollback'

export interface CommitGate {
  /** Connections of the pool behind it, for one writer. */
  readonly pool: pg.Pool
  /** Whether a COMMIT waits: its transaction holds all it has locked. */
  readonly isHolding: () => boolean
  /** Lets the COMMIT that waits go on, and those to come. */
  open(fate: CommitFate): void
  /** As SIGKILL would: every connection is gone, at once and for good. */
  kill(): void
}

/** Stands between a writer and its pool and decides over the first COMMIT of a batch, the later ones pass. */
export function createCommitGate(pool: pg.Pool, first: CommitFate | 'hold'): CommitGate {
  let fate = first
  let isKilled = false
  let release: ((fate: CommitFate) => void) | undefined
  const clients = new Set<pg.PoolClient>()

  async function commit(proceed: () => Promise<unknown>): Promise<unknown> {
    let decided = fate
    fate = 'commit'
    if (decided === 'hold') {
      decided = await new Promise<CommitFate>((resolve) => {
        release = resolve
      })
      release = undefined
    }
    if (isKilled || decided === 'rollback') throw lostConnection()
    const reply = await proceed()
    if (decided === 'lose') throw lostConnection()
    return reply
  }

  async function connect(): Promise<pg.PoolClient> {
    // Not an error that is tried again: nothing is left that could.
    if (isKilled) throw new ObservatoryError('ERR_INGEST_STOPPED', 'The process was killed')
    const client = await pool.connect()
    clients.add(client)
    const { release: giveBack } = client
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
    let isBatch = false
    const gated = (...args: unknown[]): Promise<unknown> => {
      const [first] = args as [string | { name?: string }]
      if (typeof first === 'object' && first.name?.startsWith('ledger insert')) isBatch = true
      return first === 'commit' && isBatch ? commit(() => query(...args)) : query(...args)
    }
    Object.assign(client, {
      query: gated,
      release: (destroy?: boolean | Error) => {
        clients.delete(client)
        Reflect.deleteProperty(client, 'query')
        giveBack.call(client, destroy)
      },
    })
    if (isKilled) client.connection.stream.destroy()
    return client
  }

  return {
    pool: { connect } as unknown as pg.Pool,
    isHolding: () => release !== undefined,
    open: (decided) => {
      fate = 'commit'
      release?.(decided)
    },
    kill: () => {
      isKilled = true
      for (const client of clients) client.connection.stream.destroy()
      release?.('rollback')
    },
  }
}

function lostConnection(): Error {
  return Object.assign(new Error('The connection was lost'), { code: 'ECONNRESET' })
}
