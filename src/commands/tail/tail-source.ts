import type { LoadedSettings } from '../../config.ts'
import type { Releasers } from '../../lifecycle.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { reconnectingTail } from './reconnecting-tail.ts'
import { redisTail } from './redis-tail.ts'
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
    /** Takes over what it opens. */
    readonly releasers: Releasers
  }) => AsyncIterable<TailEvent>
}

/**
 * The source that the flags name.
 *
 * @throws ObservatoryError ERR_USAGE for what is no source.
 */
export function tailSource(tailed: TailedSignal, flags: TailFlags, loaded: LoadedSettings): TailSource {
  if (flags.redis) {
    return { name: 'Redis', open: (options) => redisTail(tailed, flags, { ...options, loaded }) }
  }
  const url = tailUrl(tailed, flags, loaded.settings)
  const { accessToken } = loaded.settings
  const { limit, reconnect } = flags
  return {
    name: url.origin,
    open: (options) => reconnectingTail({ ...options, url, accessToken, limit, reconnect }),
  }
}
