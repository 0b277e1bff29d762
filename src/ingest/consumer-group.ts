import type { Redis } from 'ioredis'
import { AckCommand } from './ack-command.ts'

export interface GroupOfStream {
  readonly stream: string
  readonly group: string
}

/** Ids in one XACK: a command of some 20 kB, so that other clients of Redis are not held up. */
const ACK_CHUNK = 1000

/**
 * Creates the consumer group at the beginning of the stream, and the stream, unless they are there. At the beginning, so that what
 * was added before the first start, or while a destroyed group was missing, is ingested too: the ledger leaves out what was before.
 */
export async function ensureGroup(redis: Redis, { stream, group }: GroupOfStream): Promise<void> {
  try {
    await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM')
  } catch (error) {
    // A Redis without memory refuses before it looks whether the group is there. If it is not, the next read says so.
    if (!replyStartsWith(error, 'BUSYGROUP') && !replyStartsWith(error, 'OOM')) throw error
  }
}

/**
 * Acknowledges entries whose batch is committed.
 *
 * @returns how many of them were pending.
 * @throws when Redis did not take all of it: they are pending still.
 */
export async function ackEntries(
  redis: Redis,
  { stream, group }: GroupOfStream,
  ids: readonly string[],
): Promise<number> {
  const acks: Promise<number>[] = []
  for (let from = 0; from < ids.length; from += ACK_CHUNK) {
    const command = new AckCommand(stream, group, ids.slice(from, from + ACK_CHUNK))
    acks.push(redis.sendCommand(command) as Promise<number>)
  }
  return (await Promise.all(acks)).reduce((sum, acknowledged) => sum + acknowledged, 0)
}

/** Redis marks its errors by their first word: NOGROUP, BUSYGROUP, LOADING. */
export function replyStartsWith(error: unknown, word: string): boolean {
  return error instanceof Error && error.message.startsWith(`${word} `)
}
