import type { Redis } from 'ioredis'
import { streamKey } from '../../models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { Settings } from '../../settings.ts'
import { readGroups } from '../stream-groups.ts'

/** A stream, and how far our consumer group is in it. */
export interface StreamState {
  readonly signal: TelemetrySignal
  readonly stream: string
  /** Entries; 0 when there is no such stream. */
  readonly length: number
  /** Entries not delivered to the group; null when Redis does not know, or without the group. */
  readonly lag: number | null
  /** Entries delivered to the group and not acknowledged; null without the group, as for `consumers`. */
  readonly pending: number | null
  readonly consumers: number | null
}

/** The three streams. @throws what ioredis throws. */
export async function readStreamStates(
  redis: Redis,
  { streamPrefix, consumerGroup }: Settings,
): Promise<readonly StreamState[]> {
  return Promise.all(
    TELEMETRY_SIGNALS.map(async (signal) => {
      const stream = streamKey(streamPrefix, signal)
      const length = await redis.xlen(stream)
      const group = (await readGroups(redis, stream)).find(({ name }) => name === consumerGroup)
      const { lag = null, pending = null, consumers = null } = group ?? {}
      return { signal, stream, length, lag, pending, consumers }
    }),
  )
}
