import type { Redis } from 'ioredis'
import type { GroupOfStream } from './consumer-group.ts'
import { LUA_NAMED } from './stream-lua.ts'
import { xinfo } from './xinfo.ts'

export interface DeadConsumerOptions extends GroupOfStream {
  /** Those that have done nothing for so long are looked at. */
  readonly minIdleMs: number
  readonly isAlive: (consumer: string) => Promise<boolean>
}

/** In one step: whoever is deleted takes its pending entries with it, and one may just have been given to it. */
const DELETE_UNLESS_HOLDING = `${LUA_NAMED}
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = named(fields)
  if consumer.name == ARGV[2] and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0`

/**
 * Removes the names of consumers that are gone and hold nothing: every start on a new host leaves one.
 *
 * @returns the names that were removed.
 */
export async function removeDeadConsumers(redis: Redis, options: DeadConsumerOptions): Promise<string[]> {
  const { stream, group, minIdleMs, isAlive } = options
  const removed: string[] = []
  for (const consumer of await xinfo(redis, 'CONSUMERS', stream, group)) {
    const name = String(consumer.get('name'))
    if (consumer.get('pending') !== 0 || Number(consumer.get('idle')) < minIdleMs || (await isAlive(name)))
      continue
    if ((await redis.eval(DELETE_UNLESS_HOLDING, 1, stream, group, name, minIdleMs)) === 1) removed.push(name)
  }
  return removed
}
