import { listPartitions } from '../list-partitions.ts'
import type { PartitionedTable } from '../partitions.ts'
import type { ErasedTable, RunningErasure } from './erasure-context.ts'
import { MarkedPlaces } from './marked-places.ts'

/** Nothing is locked but the rows that go and, as every write does, the tables. */
const LOCK_TIMEOUT = '5s'

/** Evaluations first, so that none is told of a call that is not there; contents last, of which most went with their rows. */
const ORDER: readonly PartitionedTable[] = [
  'evaluations',
  'spans',
  'log_records',
  'span_contents',
  'log_contents',
  'metric_points',
]

export interface ErasedRows {
  /** Of prompts and completions only those that did not go with their rows. */
  readonly tables: readonly ErasedTable[]
  /** Data points that lost exemplars. */
  readonly points: number
}

/** Deletes what is marked from all tables, a transaction for so many rows. Being cut off costs nothing: what is left is found again. */
export async function eraseRows(context: RunningErasure): Promise<ErasedRows> {
  const { client, signal } = context
  await client.query(`set lock_timeout = '${LOCK_TIMEOUT}'`)
  const tables: ErasedTable[] = []
  let points = 0
  for (const table of ORDER) {
    let rows = 0
    for (const partition of await listPartitions(client, table)) {
      signal.throwIfAborted()
      const places = new MarkedPlaces(context, { table, partition })
      rows += await places.eraseAll()
      if (table === 'metric_points') points += await places.eraseExemplars()
    }
    tables.push({ table, rows })
  }
  return { tables, points }
}
