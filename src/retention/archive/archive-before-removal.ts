import type pg from 'pg'
import type { Settings } from '../../settings.ts'
import { Pace } from '../pace.ts'
import type { ArchivePartition } from './archive-context.ts'
import { archivePartition } from './archive-partition.ts'
import { type ArchiveSettings, openArchiveStorage } from './open-archive-storage.ts'

/**
 * Returns once every row of the partition is in an archive that was read back; throws when it is not.
 *
 * It can be awaited twice: before the partition is detached, which takes as long as it takes and keeps nobody waiting, and once more when it is detached and no row can come to it any
 * more, which finds what came in between. `name` is then that of the table.
 */
export type ArchiveBeforeRemoval = (
  partition: ArchivePartition,
  signal?: AbortSignal,
) => Promise<WrittenNow | undefined>

/** What was in no archive before. */
export interface WrittenNow {
  readonly rows: number
  /** Of the file of the rows. */
  readonly bytes: number
}

/** Settings of what is archived before it is removed. */
export type ArchivingSettings = ArchiveSettings & Pick<Settings, 'archiveFormat'>

/**
 * What is to be awaited before anything of a partition is removed. It gives way to ingest and queries.
 *
 * @param pool for one connection.
 * @returns undefined where no archives are kept. @throws ObservatoryError ERR_CONFIG_INVALID for settings that name no place for them.
 */
export function createArchiveBeforeRemoval(
  pool: pg.Pool,
  settings: ArchivingSettings,
): ArchiveBeforeRemoval | undefined {
  const storage = openArchiveStorage(settings)
  if (storage === undefined) return undefined
  return async (partition, signal) => {
    const context = { pool, storage, format: settings.archiveFormat, pace: new Pace() }
    const { written } = await archivePartition({ ...context, ...(signal && { signal }) }, partition)
    const file = written?.rows[0]
    return file && { rows: file.rows, bytes: file.bytes }
  }
}
