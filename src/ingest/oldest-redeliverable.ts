import type { Redis } from 'ioredis'
import { type EntryId, isBefore, parseEntryId } from '../models/stream-entry.ts'
import { xinfo } from './xinfo.ts'

/**
 * The oldest entry that Redis could still deliver again: the first of the stream, or an older one that is pending in any group. Undefined when
 * the stream is not there or empty and nothing is pending, for then nothing can be said: Redis may come back with an older copy.
 */
export async function oldestRedeliverable(redis: Redis, stream: string): Promise<EntryId | undefined> {
  const first = await redis.xrange(stream, '-', '+', 'COUNT', 1)
  const ids = first.map(([id]) => parseEntryId(id))
  for (const group of await xinfo(redis, 'GROUPS', stream)) {
    const [, oldest] = await redis.xpending(stream, String(group.get('name')))
    if (typeof oldest === 'string') ids.push(parseEntryId(oldest))
  }
  return ids.reduce<EntryId | undefined>(
    (least, id) => (least === undefined || isBefore(id, least) ? id : least),
    undefined,
  )
}
