import type { Redis } from 'ioredis'
import type { GroupOfStream } from './consumer-group.ts'

/** Entries of a reply: id and fields. */
export type ClaimedEntry = [id: Buffer, fields: Buffer[]]

/** What came of a few pending entries of others. */
export interface Claim {
  readonly entries: readonly ClaimedEntry[]
  /** Ids that are pending still, but no longer in the stream. */
  readonly vanished: readonly string[]
}

export interface ClaimOptions extends GroupOfStream {
  readonly redis: Redis
  /** Who claims. Its own entries are left alone. */
  readonly consumer: string
  readonly minIdleMs: number
  /** Whether a consumer is at work: then its entries are left alone, however long it takes. */
  readonly isAlive: (consumer: string) => Promise<boolean>
}

/** Pending entries looked at in one reply, ids only. */
const PAGE = 100
/** Entries claimed at once: as few as are re-read of one's own, see read-entries.ts, */
const CLAIM_COUNT = 16
/** and no more once they have so many bytes: they may be what ended another process. */
const CLAIM_BYTES = 2 * 1024 * 1024

/**
 * Claims those of the given entries that are pending, idle and still there, up to the one that reaches ARGV[4] bytes; tells how many it looked at. Redis 7
 * drops what is no longer in the stream from the pending list of whoever claims it, without a word: so what has vanished is looked
 * for first, in the same step, and stays pending.
 */
const CLAIM = `
local entries, vanished, looked, bytes = {}, {}, 0, 0
for i = 5, #ARGV do
  if bytes >= tonumber(ARGV[4]) then break end
  looked = looked + 1
  local id = ARGV[i]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], id, id, 1)
  if #pending > 0 then
    if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
      vanished[#vanished + 1] = id
    else
      local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id)[1]
      for _, field in ipairs(entry[2]) do bytes = bytes + #field end
      entries[#entries + 1] = entry
    end
  end
end
return {entries, vanished, looked}`

/**
 * Takes over, a few at a time, what is pending for consumers that are no longer at work and that nobody has touched for `minIdleMs`.
 * A consumer that was only frozen may commit what it holds after that: the ledger keeps it single.
 */
export async function* claimIdle(options: ClaimOptions): AsyncGenerator<Claim> {
  const { redis, stream, group, consumer, minIdleMs } = options
  for (let after = '-'; ; ) {
    const page = (await redis.xpending(stream, group, 'IDLE', minIdleMs, after, '+', PAGE)) as [
      string,
      string,
    ][]
    const alive = new Map<string, boolean>([[consumer, true]])
    const claimable: string[] = []
    for (const [id, holder] of page) {
      if (!alive.has(holder)) alive.set(holder, await options.isAlive(holder))
      if (alive.get(holder) === false) claimable.push(id)
    }
    for (let from = 0; from < claimable.length; ) {
      const ids = claimable.slice(from, from + CLAIM_COUNT)
      const args = [group, consumer, minIdleMs, CLAIM_BYTES, ...ids]
      const reply = await redis.callBuffer('EVAL', CLAIM, 1, stream, ...args)
      const [entries, vanished, looked] = reply as unknown as [ClaimedEntry[], Buffer[], number]
      from += looked
      yield { entries, vanished: vanished.map((id) => id.toString('latin1')) }
    }
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return
    after = `(${last[0]}`
  }
}
