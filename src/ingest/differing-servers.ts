import type { Redis } from 'ioredis'

/**
 * The `run_id` of the two servers that two connections lead to, where they differ. Undefined when they lead to one, or where a
 * server does not tell (INFO forbidden).
 *
 * @throws what ioredis throws when a server does not answer.
 */
export async function differingServers(one: Redis, other: Redis): Promise<[string, string] | undefined> {
  const [first, second] = await Promise.all([runId(one), runId(other)])
  return first === undefined || second === undefined || first === second ? undefined : [first, second]
}

async function runId(redis: Redis): Promise<string | undefined> {
  try {
    return /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1]
  } catch (error) {
    if ((error as Error).message.startsWith('NOPERM ')) return undefined
    throw error
  }
}
