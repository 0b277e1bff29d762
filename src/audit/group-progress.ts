import type { Redis } from 'ioredis'
import { type GroupOfStream, replyStartsWith } from '../ingest/consumer-group.ts'
import { xinfo } from '../ingest/xinfo.ts'
import { parseEntryId } from '../models/stream-entry.ts'
import { type EntryKey, formatKey, type KeyRange, keyOf } from './entry-key.ts'

/** What a consumer group has of a part of its stream. */
export interface GroupProgress {
  /** The last entry delivered to any consumer. */
  readonly lastDelivered: EntryKey
  /** Entries of the part that were delivered and not acknowledged. */
  readonly pending: ReadonlySet<EntryKey>
}

/** Ids of one reply of XPENDING. */
const PENDING_PAGE = 1000

/**
 * How far a group is in a part of its stream. A group that is not there has read nothing: the service makes it at the beginning.
 *
 * The last delivered id is read first: what is pending is looked at later, so an entry that is neither pending nor after that id had been
 * acknowledged by then. (The other way round one could be delivered in between.)
 */
export async function readGroupProgress(
  redis: Redis,
  group: GroupOfStream,
  part: KeyRange,
): Promise<GroupProgress> {
  const lastDelivered = await readLastDelivered(redis, group)
  if (lastDelivered === undefined) return { lastDelivered: 0n, pending: new Set() }
  return { lastDelivered, pending: await readPending(redis, group, part) }
}

async function readLastDelivered(
  redis: Redis,
  { stream, group }: GroupOfStream,
): Promise<EntryKey | undefined> {
  const groups = await xinfo(redis, 'GROUPS', stream)
  const id = groups.find((each) => each.get('name') === group)?.get('last-delivered-id')
  return id === undefined ? undefined : keyOf(parseEntryId(String(id)))
}

async function readPending(
  redis: Redis,
  { stream, group }: GroupOfStream,
  { from, to }: KeyRange,
): Promise<ReadonlySet<EntryKey>> {
  const pending = new Set<EntryKey>()
  for (let start = formatKey(from); ; ) {
    const page = (await redis
      .xpending(stream, group, start, formatKey(to), PENDING_PAGE)
      .catch((error: unknown) => {
        // Destroyed a moment ago: nothing is pending.
        if (replyStartsWith(error, 'NOGROUP')) return []
        throw error
      })) as [id: string][]
    for (const [id] of page) pending.add(keyOf(parseEntryId(id)))
    const last = page.at(-1)
    if (page.length < PENDING_PAGE || last === undefined) return pending
    start = `(${last[0]}`
  }
}
