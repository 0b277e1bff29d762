import type { Redis } from 'ioredis'
import { xinfo } from '../../../ingest/xinfo.ts'
import { parseEntryId } from '../../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../../models/telemetry-signal.ts'
import type { Settings } from '../../../settings.ts'
import { readStreamStates, type StreamState } from '../stream-states.ts'
import { RecentRate } from './recent-rate.ts'
import { within } from './repeated-look.ts'

/** A stream at one moment. */
export interface StreamLook extends StreamState {
  /** Time since the oldest entry that is pending was added; null without any. */
  readonly oldestPendingMs: number | null
  /** Entries delivered to the group, per second; undefined when it is not known. */
  readonly readPerSecond: number | undefined
  readonly consumersOf: readonly ConsumerLook[]
}

/** Who reads a stream, or has read it. */
export interface ConsumerLook {
  readonly name: string
  readonly pending: number
  /** Since it last asked for entries. */
  readonly idleMs: number
}

const LOOK_MAX_MS = 5000

/** Looks at the three streams, and remembers of each what its rate needs. */
export class StreamLooks {
  readonly #redis: Redis
  readonly #settings: Settings
  readonly #rates: Readonly<Record<TelemetrySignal, RecentRate>> = {
    traces: new RecentRate(),
    metrics: new RecentRate(),
    logs: new RecentRate(),
  }

  constructor(redis: Redis, settings: Settings) {
    this.#redis = redis
    this.#settings = settings
  }

  /** @throws what ioredis throws, or when it takes too long. */
  look(): Promise<readonly StreamLook[]> {
    return within(LOOK_MAX_MS, 'Redis', this.#look())
  }

  async #look(): Promise<readonly StreamLook[]> {
    const states = await readStreamStates(this.#redis, this.#settings)
    // Ages by the clock that made the ids.
    const [seconds = 0] = await this.#redis.time()
    return Promise.all(states.map((state) => this.#stream(state, BigInt(seconds) * 1000n)))
  }

  async #stream(state: StreamState, nowMs: bigint): Promise<StreamLook> {
    const { signal, stream, pending } = state
    const { consumerGroup } = this.#settings
    const rate = this.#rates[signal]
    if (pending === null) {
      rate.add(undefined, 0)
      return { ...state, oldestPendingMs: null, readPerSecond: undefined, consumersOf: [] }
    }
    const groups = await xinfo(this.#redis, 'GROUPS', stream)
    const read = groups.find((group) => group.get('name') === consumerGroup)?.get('entries-read')
    const [, oldest] = pending === 0 ? [] : await this.#redis.xpending(stream, consumerGroup)
    const consumers = await xinfo(this.#redis, 'CONSUMERS', stream, consumerGroup)
    return {
      ...state,
      oldestPendingMs:
        typeof oldest === 'string' ? Math.max(0, Number(nowMs - parseEntryId(oldest).ms)) : null,
      readPerSecond: rate.add(typeof read === 'number' ? read : undefined, performance.now()),
      consumersOf: consumers.map((fields) => ({
        name: String(fields.get('name')),
        pending: Number(fields.get('pending')),
        idleMs: Number(fields.get('idle')),
      })),
    }
  }
}
