import type pg from 'pg'
import type { Metrics } from '../../metrics.ts'
import type { Settings } from '../../settings.ts'
import type { ArchivePartition } from './archive-context.ts'
import { archivePartition } from './archive-partition.ts'
import { type ArchiveSettings, openArchiveStorage } from './open-archive-storage.ts'

/** Returns once every row of the partition is in an archive that was read back; throws when it is not. */
export type ArchiveBeforeRemoval = (partition: ArchivePartition) => Promise<void>

/** What is counted of it, by table. */
export type ArchiveMetrics = Pick<Metrics, 'archivedRows' | 'archivedBytes' | 'archiveFailures'>

/**
 * What is to be awaited before anything of a partition is removed.
 *
 * It can be awaited twice: before the partition is detached, which takes as long as it takes and keeps nobody waiting, and once more when it is detached and no row can come to it any
 * more, which finds what came in between. `name` is then that of the table.
 *
 * @returns undefined where no archives are kept. @throws ObservatoryError ERR_CONFIG_INVALID for settings that name no place for them.
 */
export function createArchiveBeforeRemoval(
  pool: pg.Pool,
  settings: ArchiveSettings & Pick<Settings, 'archiveFormat'>,
  metrics?: ArchiveMetrics,
): ArchiveBeforeRemoval | undefined {
  const storage = openArchiveStorage(settings)
  if (storage === undefined) return undefined
  return async (partition) => {
    const { table } = partition
    try {
      const { written } = await archivePartition({ pool, storage, format: settings.archiveFormat }, partition)
      if (written === undefined) return
      const [file] = written.rows
      metrics?.archivedRows.inc({ table }, file.rows)
      metrics?.archivedBytes.inc({ table }, file.bytes)
    } catch (error) {
      metrics?.archiveFailures.inc({ table })
      throw error
    }
  }
}
