import type pg from 'pg'
import { CLOSED_AFTER_MS } from '../../../retention/index-keeper.ts'
import { listPartitions } from '../../../retention/list-partitions.ts'
import { findMissingIndexes } from '../../../retention/missing-indexes.ts'
import { INDEXED_TABLES } from '../../../retention/partition-indexes.ts'
import { PARTITIONED_TABLES } from '../../../retention/partitions.ts'
import type { Settings } from '../../../settings.ts'
import type { TableState } from '../table-states.ts'

/** The partitions of one table. */
export interface PartitionLook {
  readonly count: number
  /** When the newest begins, in unix milliseconds. */
  readonly newestFromMs: number | undefined
  /** Those that begin later than now. */
  readonly ahead: number
  /** Undefined for tables whose partitions get no indexes of their own, or with INDEX_PARTITIONS=off. */
  readonly missingIndexes: number | undefined
}

/** By table, those of `tables` that are partitioned. @throws what pg throws. */
export async function readPartitionLooks(
  client: pg.Client,
  tables: readonly TableState[],
  { indexPartitions }: Pick<Settings, 'indexPartitions'>,
): Promise<ReadonlyMap<string, PartitionLook>> {
  const nowMs = Date.now()
  const endedBefore = indexPartitions === 'hot' ? Number.POSITIVE_INFINITY : nowMs - CLOSED_AFTER_MS
  const looks = new Map<string, PartitionLook>()
  for (const table of PARTITIONED_TABLES) {
    if (!tables.some((state) => state.table === table)) continue
    const partitions = await listPartitions(client, table)
    const indexed = indexPartitions === 'off' ? undefined : INDEXED_TABLES.find((each) => each === table)
    const missing = indexed && (await findMissingIndexes(client, indexed, endedBefore))
    looks.set(table, {
      count: partitions.length,
      newestFromMs: partitions[0]?.fromMs,
      ahead: partitions.filter(({ fromMs }) => fromMs > nowMs).length,
      missingIndexes: missing?.length,
    })
  }
  return looks
}
