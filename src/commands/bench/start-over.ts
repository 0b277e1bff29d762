import { sqlStateOf } from '../../errors.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import { PARTITIONED_TABLES } from '../../retention/partitions.ts'
import { CONTENT_TABLES } from '../../writers/interned-content.ts'
import type { BenchSetup } from './bench-setup.ts'

const TABLES = [...PARTITIONED_TABLES, ...CONTENT_TABLES, 'ingest_ledger', 'dead_letters']
const INSUFFICIENT_PRIVILEGE = '42501'

/** All the entries of a prefix wait again, nothing is stored, and what was written before is on disk. */
export async function startOver(
  { redis, client, settings, note }: BenchSetup,
  streamPrefix: string,
): Promise<void> {
  for (const signal of TELEMETRY_SIGNALS) {
    // There is none at first.
    await redis.xgroup('DESTROY', streamKey(streamPrefix, signal), settings.consumerGroup).catch(() => 0)
  }
  await client.query(`truncate ${TABLES.join(', ')}`)
  await checkpoint({ client, note })
}

/** Writes what is dirty, so that the next run does not have to. */
export async function checkpoint({ client, note }: Pick<BenchSetup, 'client' | 'note'>): Promise<void> {
  try {
    await client.query('checkpoint')
  } catch (error) {
    if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) throw error
    note('no CHECKPOINT between runs: the account of DATABASE_URL lacks pg_checkpoint')
  }
}
