import type { Settings } from '../../settings.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { reconnectingTail } from './reconnecting-tail.ts'
import type { TailFlags } from './tail-flags.ts'
import type { TailNotices } from './tail-notices.ts'
import { tailUrl } from './tail-url.ts'
import type { TailedSignal } from './tailed-signal.ts'

/** Where the events of a tail come from. */
export interface TailSource {
  /** For a person: `http://127.0.0.1:4318`. */
  readonly name: string
  /** Ends with a bye whose reason is `limit`, or by throwing: the reason of `signal` when that is aborted, an ObservatoryError when the tail is lost for good. */
  readonly open: (options: {
    readonly notices: TailNotices
    readonly signal: AbortSignal
  }) => AsyncIterable<TailEvent>
}

/**
 * The source that the flags name. This is the one place that knows of sources: one that reads Redis without a service is another branch here.
 *
 * @throws ObservatoryError ERR_USAGE for what is no source.
 */
export function tailSource(signal: TailedSignal, flags: TailFlags, settings: Settings): TailSource {
  const url = tailUrl(signal, flags, settings)
  const { limit, reconnect } = flags
  return {
    name: url.origin,
    open: (options) => reconnectingTail({ ...options, url, limit, reconnect }),
  }
}
