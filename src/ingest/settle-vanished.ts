import type { Redis } from 'ioredis'
import type pg from 'pg'
import { parseEntryId } from '../models/stream-entry.ts'
import { findListed } from '../writers/ledger.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'

export interface SettleVanishedOptions extends GroupOfStream {
  readonly pool: pg.Pool
  readonly redis: Redis
  readonly onLost: (ids: readonly string[]) => void
}

/**
 * Settles pending entries that somebody removed from the stream. Those that the ledger lists were committed, only their acknowledgement had not
 * come through; the others are lost, which can only be told, and is before they are acknowledged.
 *
 * @throws when PostgreSQL or Redis does not answer: then they stay pending.
 */
export async function settleVanished(
  ids: readonly string[],
  { pool, redis, stream, group, onLost }: SettleVanishedOptions,
): Promise<void> {
  const listed = await findListed(pool, stream, ids.map(parseEntryId))
  const lost = ids.filter((id) => !listed.has(id))
  if (lost.length > 0) onLost(lost)
  await ackEntries(redis, { stream, group }, ids)
}
