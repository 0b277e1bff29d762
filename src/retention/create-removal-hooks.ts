import type pg from 'pg'
import type { Settings } from '../settings.ts'
import type { ArchiveMetrics } from './archive/archive-before-removal.ts'
import { createArchiveRemovals } from './archive/archive-removals.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { keepRollupsOf } from './rollups/keep-rollups-of.ts'

/**
 * What is done with telemetry before retention takes it away, in the service and on the command line alike: it is archived, where archives are kept, and rollups keep what they say of it.
 *
 * @param pool for two more connections.
 * @param metrics of a service; a command has none.
 */
export function createRemovalHooks(
  pool: pg.Pool,
  settings: Settings,
  metrics?: ArchiveMetrics,
): RemovalHooks {
  const archive = createArchiveRemovals(pool, settings, metrics)
  return {
    beforeRemoval: async (removal) => archive?.beforeRemoval(removal),
    removeRows: async (client, removal, relation) => {
      await archive?.removeRows(client, removal, relation)
      await keepRollupsOf(client, removal, relation)
    },
  }
}
