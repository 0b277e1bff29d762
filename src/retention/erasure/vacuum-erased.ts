import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../../errors.ts'
import { withBuildLock } from '../build-lock.ts'
import type { ErasureContext } from './erasure-context.ts'

/** Of whoever builds an index of the partition, or vacuums it. */
const WAIT_MS = 60_000

/**
 * Vacuums what rows were deleted of, so that no page shows them any more, and has statistics made anew, which hold the most common values.
 *
 * @returns what could not be vacuumed, because others are at it; autovacuum comes to it.
 */
export async function vacuumErased(
  { client, signal, onProgress }: ErasureContext,
  tables: readonly string[],
): Promise<readonly string[]> {
  await client.query(`set lock_timeout = '${WAIT_MS}ms'; set vacuum_cost_delay = 0`)
  const left: string[] = []
  for (const [index, name] of tables.entries()) {
    signal.throwIfAborted()
    onProgress({ step: 'vacuuming', what: name, rows: index })
    const done = await withBuildLock(client, { waitMs: WAIT_MS, signal }, async () => {
      try {
        await client.query(`vacuum (analyze) ${name}`)
        return true
      } catch (error) {
        if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error
        return false
      }
    })
    if (done?.result !== true) left.push(name)
  }
  return left
}
