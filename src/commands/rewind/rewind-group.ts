import type { Redis } from 'ioredis'
import type { GroupOfStream } from '../../ingest/consumer-group.ts'
import { LUA_BEFORE, LUA_NAMED } from '../../ingest/stream-lua.ts'
import { type EntryId, formatEntryId, parseEntryId } from '../../models/stream-entry.ts'

/** A stream, and where our group was in it before it was moved. */
export interface RewindState {
  readonly length: number
  /** The oldest entry that is left; undefined when there is none. */
  readonly first: EntryId | undefined
  /** The newest id ever given out. */
  readonly last: EntryId
  /** Entries that were added and are no longer there. */
  readonly removed: number
  readonly lastDelivered: EntryId
  /** Entries after that one; undefined when Redis does not know. */
  readonly lag: number | undefined
  /** Whether the group is to go back at all: it may stand before the id already. */
  readonly goesBack: boolean
}

/**
 * Looks at a stream, and moves the group, in one step: so that it can only ever go back, whatever is delivered meanwhile. ENTRIESREAD is left
 * out: Redis then works out the lag where it can, and says that it does not know it elsewhere, until the group is at the end again. A wrong
 * number would look like entries destroyed (see ingest/trim-stream.ts).
 */
const REWIND = `${LUA_BEFORE}${LUA_NAMED}if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(fields)
  if group.name == ARGV[1] then
    local back = before(ARGV[2], group['last-delivered-id'])
    if back and ARGV[3] == '1' then redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2]) end
    local first = stream['first-entry']
    return {stream.length, first and first[1] or '', stream['last-generated-id'], stream['entries-added'] or stream.length,
      group['last-delivered-id'], group.lag or -1, back and 1 or 0}
  end
end
return false`

/**
 * Moves the group back so that the next entry it is given is the first one after `after`. It is never moved forward.
 *
 * @returns what there was before; undefined where the stream or the group is not there: the service makes it at the beginning.
 */
export async function rewindGroup(
  redis: Redis,
  { stream, group }: GroupOfStream,
  { after, dryRun }: { readonly after: EntryId; readonly dryRun: boolean },
): Promise<RewindState | undefined> {
  const reply = await redis.eval(REWIND, 1, stream, group, formatEntryId(after), dryRun ? '0' : '1')
  if (reply === null) return undefined
  const [length, first, last, added, delivered, lag, back] = reply as [
    number,
    string,
    string,
    number,
    string,
    number,
    number,
  ]
  return {
    length,
    first: first === '' ? undefined : parseEntryId(first),
    last: parseEntryId(last),
    removed: Math.max(0, added - length),
    lastDelivered: parseEntryId(delivered),
    lag: lag < 0 ? undefined : lag,
    goesBack: back === 1,
  }
}
