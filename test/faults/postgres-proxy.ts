import { isSslRequest, type PostgresMessage, PostgresMessages, sqlStateIn } from './postgres-messages.ts'
import { type Inspect, type Link, startProxy } from './proxy-server.ts'
import { Traps } from './trap.ts'

/** A point in the life of a transaction that copies rows. `committed` is the server's answer to COMMIT on its way. */
export type PostgresMoment = {
  readonly point: 'copy-data' | 'commit' | 'committed'
  /** Of `copy-data`: which message of the transaction, from 1. */
  readonly ordinal: number
  readonly session: PostgresSession
}

/** A session of a worker, as the proxy sees it. */
export interface PostgresSession {
  readonly link: Link
  /** The server's process, by its BackendKeyData. */
  backendPid: number | undefined
  /** COPY messages of the transaction that is open; 0 when it has copied nothing. */
  copied: number
  isCommitting: boolean
}

export interface PostgresProxy {
  readonly port: number
  readonly traps: Traps<PostgresMoment>
  readonly sessions: ReadonlySet<PostgresSession>
  /** Errors that PostgreSQL answered with, by SQLSTATE. */
  readonly sqlStates: ReadonlyMap<string, number>
  close(): Promise<void>
}

/** A proxy between one worker and PostgreSQL that sees every message and can act at any of them. */
export async function startPostgresProxy(port: () => number): Promise<PostgresProxy> {
  const traps = new Traps<PostgresMoment>()
  const sessions = new Set<PostgresSession>()
  const sqlStates = new Map<string, number>()
  const server = await startProxy({ host: '127.0.0.1', port }, (link) => {
    const session: PostgresSession = { link, backendPid: undefined, copied: 0, isCommitting: false }
    sessions.add(session)
    link.client.once('close', () => sessions.delete(session))
    const answers = new PostgresMessages('server')
    const meet = async (point: PostgresMoment['point']) =>
      traps.meet({ point, ordinal: session.copied, session })
    return {
      fromClient: inspectWith(new PostgresMessages('client'), async (message) => {
        if (message.type === '' && isSslRequest(message.payload)) answers.expectSslAnswer()
        const point = pointOfClient(session, message)
        return point === undefined ? 'pass' : meet(point)
      }),
      fromServer: inspectWith(answers, async (message) => {
        if (message.type === 'K') session.backendPid = message.payload.readInt32BE(0)
        const state = sqlStateIn(message)
        if (state !== undefined) sqlStates.set(state, (sqlStates.get(state) ?? 0) + 1)
        if (message.type !== 'C' || !session.isCommitting) return 'pass'
        const isCommitted = message.payload.toString('latin1').startsWith('COMMIT')
        const verdict = isCommitted ? await meet('committed') : 'pass'
        session.isCommitting = false
        session.copied = 0
        return verdict
      }),
    }
  })
  return { ...server, traps, sessions, sqlStates }
}

/** Only transactions that copy rows count: those that intern content commit, too. */
function pointOfClient(
  session: PostgresSession,
  { type, isStart, payload }: PostgresMessage,
): PostgresMoment['point'] | undefined {
  if (type === 'd' && isStart) {
    session.copied += 1
    return 'copy-data'
  }
  if (type !== 'Q') return undefined
  const text = payload.subarray(0, 16).toString('latin1').toLowerCase()
  if (text.startsWith('begin') || text.startsWith('rollback\0')) session.copied = 0
  if (!text.startsWith('commit') || session.copied === 0) return undefined
  session.isCommitting = true
  return 'commit'
}

function inspectWith(
  messages: PostgresMessages,
  decide: (message: PostgresMessage) => Promise<'pass' | 'hole' | 'drop'>,
): Inspect {
  return async function* (chunk) {
    for (const message of messages.read(chunk)) {
      yield { bytes: message.bytes, verdict: await decide(message) }
    }
  }
}
