import type { Redis } from 'ioredis'
import { isBefore, parseEntryId } from '../models/stream-entry.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { LUA_NAMED } from './stream-lua.ts'

/** What was seen of a stream and our group. */
export interface StreamLook {
  readonly lastId: string
  readonly entriesAdded: number
  readonly length: number
  /** The first entry that is there; '' when there is none. */
  readonly firstId: string
  /** Not delivered to our group; null when Redis does not know. */
  readonly unread: number | null
  /** Delivered to our group and not acknowledged. */
  readonly pending: number
}

/**
 * Notices when a stream is no longer the one it was: deleted, emptied by FLUSHALL or eviction, or put back by a restart or a failover. Its last
 * id and the number of entries it ever had can only grow, and it cannot hold more new entries than were added. What a failover lost is not
 * noticed where more was added since.
 */
export class StreamHistory {
  #last: StreamLook | undefined

  /** @returns what was seen last of a history that has ended since; undefined when it goes on. */
  async look(redis: Redis, group: GroupOfStream): Promise<StreamLook | undefined> {
    const before = this.#last
    this.#last = await lookAt(redis, group)
    if (before === undefined || before.entriesAdded === 0) return undefined
    return this.#last !== undefined && goesOn(before, this.#last) ? undefined : before
  }
}

function goesOn(before: StreamLook, now: StreamLook): boolean {
  const last = parseEntryId(before.lastId)
  const added = now.entriesAdded - before.entriesAdded
  if (added < 0 || isBefore(parseEntryId(now.lastId), last)) return false
  const areAllNew = now.firstId !== '' && isBefore(last, parseEntryId(now.firstId))
  return !areAllNew || now.length <= added
}

/** A lag of -1: Redis does not know. */
const LOOK = `${LUA_NAMED}
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
local lag, pending = -1, 0
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(fields)
  if group.name == ARGV[1] then lag, pending = group.lag or -1, group.pending end
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {stream['last-generated-id'], stream['entries-added'], stream.length, first and first[1] or '', lag, pending}`

async function lookAt(redis: Redis, { stream, group }: GroupOfStream): Promise<StreamLook | undefined> {
  const reply = await redis.eval(LOOK, 1, stream, group)
  if (reply === null) return undefined
  const [lastId, entriesAdded, length, firstId, lag, pending] = reply as [
    string,
    number,
    number,
    string,
    number,
    number,
  ]
  return { lastId, entriesAdded, length, firstId, unread: lag < 0 ? null : lag, pending }
}
