import type { Redis } from 'ioredis'
import type { GroupOfStream } from './consumer-group.ts'
import { LUA_BEFORE, LUA_NAMED } from './stream-lua.ts'

/** What a look at a stream found, and what it did. */
export interface TrimOutcome {
  readonly trimmed: number
  /** Another group that needs entries which ours no longer does, so that they could not be trimmed, and the first it needs. */
  readonly heldUpBy: { readonly group: string; readonly from: string } | undefined
  /** Entries that somebody removed from the stream before our group read them; each is told once. */
  readonly destroyedUnread: number
}

/**
 * Removes what no group needs any more, oldest first, down to about ARGV[2] entries. In one step, so that nothing is delivered or
 * acknowledged between looking and trimming. A group needs what is pending for any of its consumers, and what comes after the last
 * entry delivered to it. LIMIT makes MINID stop, at a node's border, before fewer than that are left.
 *
 * What was destroyed unread is the difference between the entries that Redis counted as added and not as read, and those that are there to
 * be read. These are only counted where that is free: when our group has read everything, or nothing of what is there. Redis 7 goes
 * on with the wrong count (and shows it as lag for ever), so it is put right here, and so is told by one process once; a new group's,
 * which Redis does not know, is begun. A Redis that was started again may have forgotten some of what was read, so nothing is told until the count was
 * once put right in its run. Redis 8 puts it right itself with the next read, so there only what is looked at before is noticed.
 */
const TRIM = `${LUA_BEFORE}${LUA_NAMED}local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and info:match('run_id:(%x+)')
local isSameRun = run and redis.call('GET', KEYS[2]) == run
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local length = redis.call('XLEN', KEYS[1])
local least, by, own, ours
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(fields)
  local needs = group['last-delivered-id']
  if group.pending > 0 then
    local oldest = redis.call('XPENDING', KEYS[1], group.name)[2]
    if before(oldest, needs) then needs = oldest end
  end
  if group.name == ARGV[1] then own, ours = needs, group end
  if not least or before(needs, least) then least, by = needs, group.name end
end
if not own then return false end
local destroyed = 0
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = ours['last-delivered-id']
local unread
if not before(last, stream['last-generated-id']) then unread = 0
elseif not first or before(last, first[1]) then unread = length end
local counted = ours['entries-read']
local right = unread and stream['entries-added'] - unread
if right and run and not isSameRun then redis.pcall('SET', KEYS[2], run) end
if right and counted ~= right then
  destroyed = isSameRun and counted and math.max(0, right - counted) or 0
  redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], last, 'ENTRIESREAD', right)
end
local excess = length - ARGV[2]
local trimmed = 0
if excess > 0 then trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', least, 'LIMIT', excess) end
local held = by ~= ARGV[1] and before(least, own) and excess > trimmed
return {trimmed, held and by or '', least, destroyed}`

/** Trims a stream behind its slowest group, keeping at least `keepEntries`. Undefined where the stream or our group is not there. */
export async function trimStream(
  redis: Redis,
  { stream, group }: GroupOfStream,
  keepEntries: number,
): Promise<TrimOutcome | undefined> {
  const reply = await redis.eval(TRIM, 2, stream, runKey(stream), group, keepEntries)
  if (reply === null) return undefined
  const [trimmed, heldUpBy, from, destroyedUnread] = reply as [number, string, string, number]
  return { trimmed, heldUpBy: heldUpBy === '' ? undefined : { group: heldUpBy, from }, destroyedUnread }
}

/** In the stream's own slot of a Redis Cluster: what is between braces is hashed, and a stream that has such a part is used as it is. */
function runKey(stream: string): string {
  return /\{[^}]+\}/.test(stream) ? `${stream}:run` : `{${stream}}:run`
}
