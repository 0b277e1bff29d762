import type { PastRecords, PastSelection } from './past-records.ts'
import type { TailEvent } from './tail-event.ts'
import type { Joined, TailHub } from './tail-hub.ts'
import type { TailId } from './tail-id.ts'
import type { Selection } from './watcher-group.ts'

/** What somebody wants to watch. */
export interface TailRequest<T> extends PastSelection<T>, Selection<T> {
  /** The last record that was seen: all after it are shown. */
  readonly after: TailId | undefined
  /** Else so many of the last records come first. */
  readonly history: number
  /** Records, after which the tail ends. */
  readonly limit: number | undefined
}

/** Bytes of JSON that are given at once, about. */
const MAX_BYTES = 64 * 1024
/** While it reads what came before, more may come than waits for it: so often it reads that, too. */
const MOST_CATCH_UPS = 5

export interface Tails<T extends { readonly service: string }> {
  readonly hub: TailHub<T>
  readonly past: PastRecords<T>
}

/**
 * What was, then what comes, each record once and in the order in which it came: some events at a time. Ends with a `bye`, or when `signal` is aborted.
 *
 * @throws what Redis does when the stream cannot be read.
 */
export function tail<T extends { readonly service: string }>(
  tails: Tails<T>,
  request: TailRequest<T>,
  signal: AbortSignal,
): AsyncGenerator<readonly TailEvent[], void> {
  const events = allEvents(tails, request, signal)
  return request.limit === undefined ? events : upTo(request.limit, events)
}

async function* upTo(
  limit: number,
  all: AsyncGenerator<readonly TailEvent[], void>,
): AsyncGenerator<readonly TailEvent[], void> {
  let left = limit
  for await (const events of all) {
    const shown = events.filter(({ kind }) => kind !== 'record' || left-- > 0)
    if (shown.length > 0) yield shown
    if (left > 0) continue
    yield [{ kind: 'bye', reason: 'limit' }]
    return
  }
}

async function* allEvents<T extends { readonly service: string }>(
  { hub, past }: Tails<T>,
  request: TailRequest<T>,
  signal: AbortSignal,
): AsyncGenerator<readonly TailEvent[], void> {
  const joined = await hub.join(request)
  const { watcher } = joined
  const wake = () => watcher.wake()
  signal.addEventListener('abort', wake)
  try {
    const reading = AbortSignal.any([signal, hub.closing])
    yield* pastEvents(past, request, joined, reading)
    watcher.goLive()
    for (;;) {
      const events = await watcher.next(MAX_BYTES, signal)
      if (events === undefined) return
      yield events
    }
  } catch (error) {
    // Closed while it read what came before: whoever comes again goes on after what they have.
    if (!hub.closing.aborted) throw error
    yield [{ kind: 'bye', reason: 'shutdown' }]
  } finally {
    signal.removeEventListener('abort', wake)
    hub.leave(watcher)
  }
}

async function* pastEvents<T extends { readonly service: string }>(
  past: PastRecords<T>,
  request: TailRequest<T>,
  { watcher, live }: Joined<T>,
  signal: AbortSignal,
): AsyncGenerator<readonly TailEvent[]> {
  let upTo = live.position
  if (request.after !== undefined)
    yield* past.after(request.after, request, { recent: live.recent, upTo }, signal)
  else yield await past.last(request.history, request, { recent: live.recent, upTo }, signal)
  for (let again = 0; watcher.isBehind && again < MOST_CATCH_UPS; again += 1) {
    const after = { entry: upTo, index: Number.MAX_SAFE_INTEGER }
    watcher.joinAgain()
    upTo = live.position
    yield* past.after(after, request, { recent: live.recent, upTo }, signal)
  }
}
