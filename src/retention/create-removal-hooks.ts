import type pg from 'pg'
import type { ArchiveBeforeRemoval } from './archive/archive-before-removal.ts'
import { ArchiveRemovals } from './archive/archive-removals.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { keepRollupsOf } from './rollups/keep-rollups-of.ts'

/**
 * What is done with telemetry before retention takes it away, in the service and on the command line alike: it is archived, where archives are kept, and rollups keep what they say of it.
 *
 * @param pool for one more connection, and those that `archive` takes of it.
 * @param archive undefined where no archives are kept.
 */
export function createRemovalHooks(pool: pg.Pool, archive: ArchiveBeforeRemoval | undefined): RemovalHooks {
  const archiving = archive && new ArchiveRemovals(pool, archive)
  return {
    beforeRemoval: async (removal, signal) => archiving?.beforeRemoval(removal, signal),
    removeRows: async (client, removal, relation) => {
      await archiving?.removeRows(client, removal, relation)
      await keepRollupsOf(client, removal, relation)
    },
  }
}
