import type { Redis } from 'ioredis'
import { xinfo } from '../ingest/xinfo.ts'

/** A consumer group of a stream, as XINFO GROUPS tells it. */
export interface StreamGroup {
  readonly name: string
  readonly consumers: number
  /** Entries delivered and not acknowledged. */
  readonly pending: number
  /** Entries not delivered yet; null when Redis does not know, which it says after XDEL and XTRIM. */
  readonly lag: number | null
}

/**
 * The consumer groups of a stream; none when there is no such stream.
 *
 * @throws what ioredis throws: WRONGTYPE when the key holds something else.
 */
export async function readGroups(redis: Redis, stream: string): Promise<readonly StreamGroup[]> {
  const groups = await xinfo(redis, 'GROUPS', stream)
  return groups.map((group) => {
    const lag = group.get('lag')
    return {
      name: String(group.get('name')),
      consumers: Number(group.get('consumers')),
      pending: Number(group.get('pending')),
      lag: typeof lag === 'number' ? lag : null,
    }
  })
}
