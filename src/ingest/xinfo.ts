import type { Redis } from 'ioredis'

type Question = ['STREAM', string] | ['GROUPS', string] | ['CONSUMERS', string, string]

/**
 * What XINFO tells of a stream, of its groups, or of the consumers of one: a map of fields each. None when there is no such stream.
 *
 * @throws what ioredis throws: WRONGTYPE when the key holds something else, NOGROUP for consumers of a group that is not there.
 */
export async function xinfo(
  redis: Redis,
  ...args: Question
): Promise<readonly ReadonlyMap<unknown, unknown>[]> {
  const reply = (await ask(redis, args).catch((error: Error) => {
    if (error.message.startsWith('ERR no such key')) return []
    throw error
  })) as unknown[]
  const lists = args[0] === 'STREAM' && reply.length > 0 ? [reply] : (reply as unknown[][])
  return lists.map(
    (fields) =>
      new Map(fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1]]] : []))),
  )
}

function ask(redis: Redis, [what, stream, group = '']: Question): Promise<unknown> {
  if (what === 'STREAM') return redis.xinfo(what, stream)
  return what === 'GROUPS' ? redis.xinfo(what, stream) : redis.xinfo(what, stream, group)
}
