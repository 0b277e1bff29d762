import type { Redis } from 'ioredis'
import type { GroupOfStream } from './consumer-group.ts'

/** How far a group is. `lag` is null when Redis does not know, which it says after XDEL and XTRIM. */
export interface GroupState {
  readonly lag: number | null
  readonly pending: number
}

/** The state of a group, by XINFO GROUPS; undefined when the stream or the group is not there. */
export async function readGroupState(
  redis: Redis,
  { stream, group }: GroupOfStream,
): Promise<GroupState | undefined> {
  const groups = (await redis.xinfo('GROUPS', stream).catch((error: Error) => {
    if (error.message.startsWith('ERR no such key')) return []
    throw error
  })) as unknown[][]
  for (const fields of groups) {
    const state = new Map(
      fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1]]] : [])),
    )
    if (state.get('name') !== group) continue
    const lag = state.get('lag')
    return { lag: typeof lag === 'number' ? lag : null, pending: Number(state.get('pending')) }
  }
  return undefined
}
