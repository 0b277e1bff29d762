import type { Redis } from 'ioredis'
import { isBefore, parseEntryId } from '../models/stream-entry.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { xinfo } from './xinfo.ts'

/** What was seen of a stream and our group. */
export interface StreamLook {
  readonly lastId: string
  readonly entriesAdded: number
  /** Not delivered to our group; null when Redis does not know. */
  readonly unread: number | null
  /** Delivered to our group and not acknowledged. */
  readonly pending: number
}

/**
 * Notices when a stream is no longer the one it was: deleted, emptied by FLUSHALL or eviction, or put back by a restart or a failover. Its last
 * id and the number of entries it ever had can only grow.
 */
export class StreamHistory {
  #last: StreamLook | undefined

  /** @returns what was seen last of a history that has ended since; undefined when it goes on. */
  async look(redis: Redis, group: GroupOfStream): Promise<StreamLook | undefined> {
    const before = this.#last
    this.#last = await lookAt(redis, group)
    if (before === undefined || before.entriesAdded === 0) return undefined
    const now = this.#last
    const goesOn =
      now !== undefined &&
      now.entriesAdded >= before.entriesAdded &&
      !isBefore(parseEntryId(now.lastId), parseEntryId(before.lastId))
    return goesOn ? undefined : before
  }
}

async function lookAt(redis: Redis, { stream, group }: GroupOfStream): Promise<StreamLook | undefined> {
  const [state] = await xinfo(redis, 'STREAM', stream)
  if (state === undefined) return undefined
  const ours = (await xinfo(redis, 'GROUPS', stream)).find((each) => each.get('name') === group)
  const lag = ours?.get('lag')
  return {
    lastId: String(state.get('last-generated-id')),
    entriesAdded: Number(state.get('entries-added')),
    unread: typeof lag === 'number' ? lag : null,
    pending: Number(ours?.get('pending') ?? 0),
  }
}
