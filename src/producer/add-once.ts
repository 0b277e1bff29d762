import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'

/** How long Redis remembers the key of an added entry: the time within which a repeat adds nothing. */
export const IDEMPOTENCY_SECONDS = 3600

/** An entry to add at most once. */
export interface EntryToAdd {
  /** The stream's key, e.g. `telemetry:logs`. */
  readonly stream: string
  /** The fields of the entry. At most 3,000 of them: a Lua script cannot unpack many more arguments. */
  readonly fields: Readonly<Record<string, string | Buffer>>
  /** What makes two adds the same one. Default: the SHA-256 of the fields, so that equal bodies are one entry. */
  readonly key?: string | undefined
}

export interface AddedEntry {
  /** The entry's id, `ms-seq`: of the first add when this one was a repeat. */
  readonly id: string
  /** Whether the entry had been added before, so that this call added nothing. */
  readonly repeated: boolean
}

/**
 * KEYS: stream, idempotency key. ARGV: seconds to remember, then field, value, ….
 * The key is claimed before XADD, so whatever Redis may refuse (memory, rights, a read-only replica) it refuses
 * before anything is added. An empty value is a claim whose XADD failed: it counts as not added.
 */
const ADD_ONCE = `
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[1]) then
  local first = redis.call('GET', KEYS[2])
  if first ~= '' then return {first, 1} end
end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('SET', KEYS[2], id, 'EX', ARGV[1])
return {id, 0}
`
const ADD_ONCE_SHA = createHash('sha1').update(ADD_ONCE).digest('hex')

/**
 * Adds one entry to a stream unless it was added within the last hour ({@link IDEMPOTENCY_SECONDS}). A repeat is
 * answered like the first: with the first one's entry id. So a caller that got no answer may simply call again.
 *
 * @throws what ioredis throws, without the command's arguments: telemetry does not belong into a log line.
 */
export async function addOnce(redis: Redis | Cluster, entry: EntryToAdd): Promise<AddedEntry> {
  const fields = Object.entries(entry.fields).flat()
  const keys = [entry.stream, idempotencyKey(entry.stream, entry.key ?? digest(fields))]
  const args = [...keys, IDEMPOTENCY_SECONDS, ...fields]
  try {
    const reply = await redis.evalsha(ADD_ONCE_SHA, keys.length, ...args).catch((error: unknown) => {
      if (replyCodeOf(error) !== 'NOSCRIPT') throw error
      return redis.eval(ADD_ONCE, keys.length, ...args)
    })
    const [id, repeated] = reply as [string, number]
    return { id, repeated: repeated === 1 }
  } catch (error) {
    throw withoutArguments(error)
  }
}

/** Redis' own code of an error reply (its first word, by protocol), or undefined for any other error. */
export function replyCodeOf(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'ReplyError' ? error.message.split(' ', 1)[0] : undefined
}

/**
 * In a Redis Cluster both keys of the script must share a slot. A stream's plain key hashes as a whole, and so does
 * a key that has it between braces; a stream key with a hash tag of its own (`telemetry:logs:{3}`) is taken as is.
 */
function idempotencyKey(stream: string, key: string): string {
  const isTagged = /^[^{]*\{[^}]+\}/.test(stream)
  return isTagged ? `${stream}:idem:${key}` : `{${stream}}:idem:${key}`
}

/** Lengths are hashed too, so that no two lists of fields run into the same bytes. */
function digest(fields: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const field of fields) hash.update(`${Buffer.byteLength(field)}:`).update(field)
  return hash.digest('hex')
}

function withoutArguments(error: unknown): unknown {
  const command = (error as { command?: { name?: unknown; args?: unknown } } | undefined)?.command
  if (command !== undefined) command.args = []
  return error
}
