import type { Metrics } from '../../metrics.ts'
import type { ArchiveBeforeRemoval } from './archive-before-removal.ts'

export type ArchiveMetrics = Pick<Metrics, 'archivedRows' | 'archivedBytes' | 'archiveFailures'>

/** Counts, by table, what is archived, and what could not be. */
export function countArchives(archive: ArchiveBeforeRemoval, metrics: ArchiveMetrics): ArchiveBeforeRemoval {
  return async (partition, signal) => {
    const { table } = partition
    try {
      const written = await archive(partition, signal)
      metrics.archivedRows.inc({ table }, written?.rows ?? 0)
      metrics.archivedBytes.inc({ table }, written?.bytes ?? 0)
      return written
    } catch (error) {
      if (signal?.aborted !== true) metrics.archiveFailures.inc({ table })
      throw error
    }
  }
}
