import { ObservatoryError } from '../../errors.ts'
import { sleep } from '../../lifecycle.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { type HttpTailOptions, httpTail } from './http-tail.ts'
import { TailLost } from './tail-lost.ts'
import type { TailNotices } from './tail-notices.ts'

export interface ReconnectingTailOptions extends Pick<HttpTailOptions, 'accessToken' | 'signal' | 'stallMs'> {
  readonly url: URL
  /** At most so many records, over all connections. */
  readonly limit?: number | undefined
  readonly reconnect: boolean
  readonly notices: Pick<TailNotices, 'connected' | 'lost'>
}

/** What is known from one connection to the next. */
interface TailState {
  lastEventId: string | undefined
  records: number
  retryMs: number
  /** Connections since the last that gave something. */
  attempt: number
  wasOpen: boolean
}

/** Until the server says another. */
const RETRY_MS = 1000
const MIN_RETRY_MS = 100
const MAX_WAIT_MS = 30_000

/**
 * A live tail over HTTP that goes on where it was when its connection is lost.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it is lost and `reconnect` is false; for what no other attempt changes, see `httpTail`.
 */
export async function* reconnectingTail(options: ReconnectingTailOptions): AsyncGenerator<TailEvent> {
  const { url, limit = Number.POSITIVE_INFINITY, signal, notices } = options
  const state: TailState = {
    lastEventId: undefined,
    records: 0,
    retryMs: RETRY_MS,
    attempt: 0,
    wasOpen: false,
  }
  for (;;) {
    try {
      const connection = {
        ...options,
        url: withLimit(url, limit - state.records),
        lastEventId: state.lastEventId,
        onOpen: () => {
          state.wasOpen = true
          notices.connected(state.lastEventId)
        },
        onRetry: (ms: number) => {
          state.retryMs = Math.min(Math.max(ms, MIN_RETRY_MS), MAX_WAIT_MS)
        },
      }
      for await (const event of httpTail(connection)) {
        state.attempt = 0
        if (event.kind === 'record') {
          state.records += 1
          // One without an id stands nowhere.
          if (event.id !== '') state.lastEventId = event.id
        }
        yield event
        if (event.kind === 'bye') {
          if (event.reason === 'limit') return
          throw new TailLost(`it ended the tail (${event.reason})`)
        }
      }
    } catch (error) {
      if (!(error instanceof TailLost)) throw error
      // What was asked for has come; only the bye is missing.
      if (state.records >= limit) return
      if (!options.reconnect) throw failure(url, error, state)
      const waitMs = waitOf(error, state)
      notices.lost(error.message, waitMs)
      state.attempt += 1
      await sleep(waitMs, signal)
    }
  }
}

function withLimit(url: URL, limit: number): URL {
  const limited = new URL(url)
  if (Number.isFinite(limit)) limited.searchParams.set('limit', String(limit))
  return limited
}

/** At least as long as the server says, longer with each attempt; by chance, for all readers of a server lose it at once. */
function waitOf({ retryAfterMs }: TailLost, { retryMs, attempt }: TailState): number {
  const least = retryAfterMs ?? retryMs
  const most = Math.max(least * 1.5, Math.min(MAX_WAIT_MS, retryMs * 2 ** attempt))
  return Math.round(least + Math.random() * (most - least))
}

function failure({ origin }: URL, error: TailLost, { wasOpen }: TailState): ObservatoryError {
  const message = wasOpen
    ? `the tail of ${origin} is lost: ${error.message}; without --no-reconnect it would go on by itself`
    : `${origin} gives no tail: ${error.message}; is "observatory serve" running there? --url says where it is`
  return new ObservatoryError('ERR_SERVER_UNREACHABLE', message, { cause: error })
}
