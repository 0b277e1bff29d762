import type { Redis } from 'ioredis'
import type { GroupOfStream } from './consumer-group.ts'

/** What a look at a stream found, and what it did. */
export interface TrimOutcome {
  readonly trimmed: number
  /** Another group that needs entries which ours no longer does, so that they could not be trimmed. */
  readonly heldUpBy: string | undefined
  /** Unread entries of our group that somebody removed from the stream; undefined when Redis cannot tell. */
  readonly destroyedUnread: number | undefined
}

/**
 * Removes what no group needs any more, oldest first, down to about ARGV[2] entries. In one step, so that nothing is delivered or
 * acknowledged between looking and trimming. A group needs what is pending for any of its consumers, and what comes after the last
 * entry delivered to it. LIMIT makes MINID stop, at a node's border, before fewer than that are left.
 */
const TRIM = `
local function before(a, b)
  local ams, aseq = a:match('(%d+)-(%d+)')
  local bms, bseq = b:match('(%d+)-(%d+)')
  if ams == bms then ams, bms = aseq, bseq end
  if #ams ~= #bms then return #ams < #bms end
  return ams < bms
end
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local length = redis.call('XLEN', KEYS[1])
local least, by, own, lag
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
  local needs = group['last-delivered-id']
  if group.pending > 0 then
    local oldest = redis.call('XPENDING', KEYS[1], group.name)[2]
    if before(oldest, needs) then needs = oldest end
  end
  if group.name == ARGV[1] then own, lag = needs, group.lag end
  if not least or before(needs, least) then least, by = needs, group.name end
end
if not own then return false end
local destroyed = -1
if lag then destroyed = math.max(0, lag - length) end
local held = by ~= ARGV[1] and before(least, own) and by or ''
local excess = length - ARGV[2]
if excess <= 0 then return {0, held, destroyed} end
return {redis.call('XTRIM', KEYS[1], 'MINID', '~', least, 'LIMIT', excess), held, destroyed}`

/** Trims a stream behind its slowest group, keeping at least `keepEntries`. Undefined where the stream or our group is not there. */
export async function trimStream(
  redis: Redis,
  { stream, group }: GroupOfStream,
  keepEntries: number,
): Promise<TrimOutcome | undefined> {
  const reply = await redis.eval(TRIM, 1, stream, group, keepEntries)
  if (reply === null) return undefined
  const [trimmed, heldUpBy, destroyed] = reply as [number, string, number]
  return {
    trimmed,
    heldUpBy: heldUpBy === '' ? undefined : heldUpBy,
    destroyedUnread: destroyed < 0 ? undefined : destroyed,
  }
}
