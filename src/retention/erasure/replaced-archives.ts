import type pg from 'pg'
import { ObservatoryError } from '../../errors.ts'
import { type ArchiveManifest, listArchiveIds } from '../archive/archive-manifest.ts'
import type { ArchiveStorage } from '../archive/archive-storage.ts'
import { PARTITIONED_TABLES } from '../partitions.ts'

type Queryable = Pick<pg.ClientBase, 'query'>

/** An archive, and what was written in its place. */
export interface ReplacedArchive {
  readonly id: string
  /** Undefined where nothing of it stays. */
  readonly written: ArchiveManifest | undefined
  /** Those that went. */
  readonly rows: number
}

/** Notes that an archive is about to be written anew, before there is anything of the other. */
export async function beginReplacing(
  client: Queryable,
  { place }: ArchiveStorage,
  { id, by }: { readonly id: string; readonly by: string | null },
): Promise<void> {
  await client.query(
    `insert into erasing_archives (archive_id, replaced_by, place, state) values ($1, $2, $3, 'writing')`,
    [id, by, place],
  )
}

/** Notes that the new archives count, in the transaction that says all else of it. What was known of the old ones is known of them: that they were restored, for one. */
export async function noteReplaced(client: Queryable, replaced: readonly ReplacedArchive[]): Promise<void> {
  for (const { id, written } of replaced) {
    await client.query(`update erasing_archives set state = 'written' where archive_id = $1`, [id])
    if (written !== undefined) {
      const [of] = written.rows
      await client.query(
        `insert into archives (archive_id, table_name, from_time, to_time, row_count, content_checksum, verified_at,
                               archived_at, restored_at, restored_rows, restored_into)
         select $2, table_name, from_time, to_time, $3, $4, now(), archived_at, restored_at, restored_rows, restored_into
           from archives where archive_id = $1`,
        [id, written.id, of.rows, of.content],
      )
    }
    await client.query('delete from archived_partitions where $1 = any(archive_ids)', [id])
    await client.query('delete from archives where archive_id = $1', [id])
  }
}

/** Removes what does not count any more, its manifest first: then nobody takes it for an archive. */
export async function endReplacing(
  client: Queryable,
  storage: ArchiveStorage,
  { remove, of }: { readonly remove: string; readonly of: string },
): Promise<void> {
  await removeFolder(storage, remove)
  await client.query('delete from erasing_archives where archive_id = $1', [of])
}

/**
 * Ends what a process that died has begun, and removes files that are of no archive: what a writer that was killed has left may hold what is to go.
 *
 * @throws ObservatoryError ERR_USAGE where it was begun at another place.
 */
export async function endBegunReplacing(client: Queryable, storage: ArchiveStorage): Promise<void> {
  const { rows } = await client.query<{
    archive_id: string
    replaced_by: string | null
    place: string
    state: 'writing' | 'written'
  }>('select archive_id, replaced_by, place, state from erasing_archives order by archive_id')
  for (const { archive_id: of, replaced_by: by, place, state } of rows) {
    if (place !== storage.place)
      throw new ObservatoryError(
        'ERR_USAGE',
        `An erasure has begun to write archives of ${place} anew: set ARCHIVE_URL to it, and run it again`,
      )
    const remove = state === 'written' ? of : by
    if (remove === null) await client.query('delete from erasing_archives where archive_id = $1', [of])
    else await endReplacing(client, storage, { remove, of })
  }
  for (const table of PARTITIONED_TABLES) {
    const archives = new Set(await listArchiveIds(storage, table))
    const paths = await storage.list(table, { unfinished: true })
    for (const path of paths) {
      const [, id = ''] = ARCHIVE_FILE.exec(path) ?? []
      if (id !== '' && !archives.has(id)) await storage.remove(path)
    }
  }
}

/** A file in the folder of an archive: `spans/2026-11-23/20261201T023000123Z-1a2b3c4d/…`. Others are not ours. */
const ARCHIVE_FILE = /^([a-z_]+\/[\dT-]+\/\d{8}T\d{9}Z-[0-9a-f]{8})\/[^/]+$/

async function removeFolder(storage: ArchiveStorage, id: string): Promise<void> {
  const paths = await storage.list(id, { unfinished: true })
  const manifests = paths.filter((path) => path.endsWith('/manifest.json'))
  for (const path of [...manifests, ...paths.filter((each) => !manifests.includes(each))])
    await storage.remove(path)
}
