import { ObservatoryError } from '../../errors.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { connectionProblem } from '../connection-problem.ts'
import { checkAnswer } from './check-answer.ts'
import { readTailEvent } from './read-tail-event.ts'
import { sseMessages } from './sse-messages.ts'
import { TailLost } from './tail-lost.ts'

export interface HttpTailOptions {
  readonly url: URL
  /** Where the service asks for one. */
  readonly accessToken?: string | undefined
  /** The record after which to go on. */
  readonly lastEventId?: string | undefined
  readonly signal: AbortSignal
  /** Without any event for so long, the server counts as gone. */
  readonly stallMs?: number
  /** An answer has come, and it is a tail. */
  readonly onOpen?: () => void
  /** How long the server wants clients to wait before they connect again, in milliseconds. */
  readonly onRetry?: (ms: number) => void
}

/** Heartbeats come every 15 s. */
const STALL_MS = 45_000

/**
 * One connection to a live tail over HTTP, until the server says bye. A reader that does not read on slows the server down.
 *
 * @throws TailLost when the connection is lost or cannot be made; ObservatoryError when there is no use in trying again; the reason of `signal`.
 */
export async function* httpTail(options: HttpTailOptions): AsyncGenerator<TailEvent> {
  const { url, accessToken, lastEventId, signal, stallMs = STALL_MS } = options
  const connection = new AbortController()
  const stalled = (): void => connection.abort(new TailLost(`nothing came from it for ${stallMs / 1000} s`))
  let timer = setTimeout(stalled, stallMs)
  const end = (): void => connection.abort(signal.reason)
  signal.addEventListener('abort', end)
  try {
    signal.throwIfAborted()
    const headers = {
      accept: 'text/event-stream',
      ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    }
    const response = await fetch(url, { headers, signal: connection.signal })
    await checkAnswer(response, url.origin)
    options.onOpen?.()
    for await (const message of sseMessages(response.body ?? NOTHING, options.onRetry ?? ignore)) {
      const event = readTailEvent(message)
      // While this waits for its own reader, silence is no fault of the server.
      clearTimeout(timer)
      if (event !== undefined) yield event
      if (event?.kind === 'bye') return
      timer = setTimeout(stalled, stallMs)
    }
    throw new TailLost('it closed the connection')
  } catch (error) {
    signal.throwIfAborted()
    throw lostBy(connection.signal.aborted ? connection.signal.reason : error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    connection.abort()
  }
}

const NOTHING: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: async function* () {} }

function ignore(): void {}

function lostBy(error: unknown): unknown {
  if (error instanceof TailLost || error instanceof ObservatoryError) return error
  return new TailLost(connectionProblem(error), { cause: error })
}
