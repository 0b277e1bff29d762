import type { LoadedSettings } from '../../config.ts'
import type { Releasers } from '../../lifecycle.ts'
import type { RecordBySignal } from '../../models/decode-record.ts'
import { streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { readPrivacy } from '../../read-privacy.ts'
import { openRevivedRedis } from '../../redis.ts'
import { createSignalTail, MAX_HISTORY } from '../../tail/signal-tail.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { RecordDecoder } from '../../writers/record-decoder.ts'
import { openRedis } from '../open-servers.ts'
import { readConditions } from '../query/query-flags.ts'
import { findServers } from '../servers.ts'
import type { TailFlags } from './tail-flags.ts'
import type { TailNotices } from './tail-notices.ts'
import { readSample, USUAL_LINES } from './tail-question.ts'
import type { TailedSignal } from './tailed-signal.ts'

export interface RedisTailOptions {
  readonly loaded: LoadedSettings
  readonly releasers: Releasers
  readonly notices: TailNotices
  readonly signal: AbortSignal
}

const RECONNECTS_IN_MS = 1000

/**
 * A live tail of what the stream itself has, without a service: what was trimmed from it is not shown, and a gap says so. Rules that hide values hold as in a service of the same settings.
 *
 * @throws ObservatoryError when Redis cannot be reached at first, or for what is wrong usage; a connection that is lost later is made again.
 */
export async function* redisTail(
  tailed: TailedSignal,
  flags: TailFlags,
  { loaded, releasers, notices, signal }: RedisTailOptions,
): AsyncGenerator<TailEvent> {
  const { settings } = loaded
  const { since: from, lines, limit } = flags
  const conditions = readConditions({ ...flags, ...(from !== undefined && { from }) }, tailed.columns)
  const question = {
    filter: conditions,
    after: undefined,
    history: lines ?? (from === undefined ? USUAL_LINES : MAX_HISTORY),
    sample: readSample(flags.sample),
    limit,
  }
  const urls = await findServers(loaded, { releasers, log: () => undefined })
  const { redis, redisUrl } = await openRedis({ name: 'tail', settings, urls, stopping: signal, releasers })
  const tail = createSignalTail<TelemetrySignal>({
    signal: tailed.signal,
    stream: streamKey(settings.streamPrefix, tailed.signal),
    decoder: new RecordDecoder<RecordBySignal[TelemetrySignal]>(tailed.signal, {}, readPrivacy(settings)),
    commands: redis,
    stored: undefined,
    connect: () =>
      openRevivedRedis({ url: redisUrl, role: 'blocking', name: 'tail', onError: () => undefined }),
    onError: (error) => notices.lost(String(error), RECONNECTS_IN_MS),
    onSkipped: () => undefined,
  })
  releasers.defer('tail', () => tail.close())
  notices.connected(undefined)
  for await (const events of tail.watch(question, signal)) yield* events
  signal.throwIfAborted()
}
