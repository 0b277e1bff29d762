import type pg from 'pg'
import type { ArchivePartition } from './archive-context.ts'
import type { ArchiveManifest } from './archive-manifest.ts'

/** How the rows of a partition are. */
export interface PartitionContent {
  readonly rows: number
  readonly content: string
  /** See {@link rowVersions}. */
  readonly versions: string
}

type Queryable = Pick<pg.ClientBase, 'query'>

const INSERT_ARCHIVE = `
  insert into archives (archive_id, table_name, from_time, to_time, row_count, content_checksum)
  values ($1, $2, $3, $4, $5, $6)
  on conflict (archive_id) do nothing`

/** Notes that an archive is there. */
export async function noteArchive(client: Queryable, manifest: ArchiveManifest): Promise<void> {
  const { id, table, from, to, rows } = manifest
  await client.query(INSERT_ARCHIVE, [id, table, from, to, rows[0].rows, rows[0].content])
}

/** Notes that an archive of this database was read back. */
export async function noteVerified(client: Queryable, { id, createdAt }: ArchiveManifest): Promise<void> {
  await client.query(
    'update archives set verified_at = now(), archived_at = coalesce(archived_at, $2) where archive_id = $1',
    [id, createdAt],
  )
}

/** Notes that all rows of a partition, as they are, are in these archives. */
export async function noteArchived(
  client: Queryable,
  { name, table, fromMs, toMs }: ArchivePartition,
  { rows, content, versions }: PartitionContent,
  archiveIds: readonly string[],
): Promise<void> {
  await client.query(
    `insert into archived_partitions
       (partition_oid, table_name, from_time, to_time, row_count, content_checksum, row_versions, archive_ids)
     values ($1::regclass, $2, $3, $4, $5, $6, $7, $8)
     on conflict (partition_oid) do update set
       (table_name, from_time, to_time, row_count, content_checksum, row_versions, archive_ids, checked_at)
       = (excluded.table_name, excluded.from_time, excluded.to_time, excluded.row_count, excluded.content_checksum,
          excluded.row_versions, excluded.archive_ids, excluded.checked_at)`,
    [name, table, new Date(fromMs), new Date(toMs), rows, content, versions, archiveIds],
  )
  await client.query(
    'delete from archived_partitions where not exists (select from pg_class where oid = partition_oid)',
  )
}

/** What was noted of a partition and the archives that all its rows are in, if its rows are still the very versions that they were then. */
export async function notedContent(
  client: Queryable,
  name: string,
  versions: string,
): Promise<(PartitionContent & { readonly archiveIds: readonly string[] }) | undefined> {
  const { rows } = await client.query<{ rows: number; content: string; archive_ids: string[] }>(
    `select row_count::float8 as rows, content_checksum as content, archive_ids from archived_partitions
      where partition_oid = $1::regclass and row_versions = $2`,
    [name, versions],
  )
  const [noted] = rows
  return noted && { rows: noted.rows, content: noted.content, versions, archiveIds: noted.archive_ids }
}

/** The archives that all rows of a partition are in, if they are still as they were then. */
export async function archivesOfContent(
  client: Queryable,
  name: string,
  { rows, content }: PartitionContent,
): Promise<readonly string[] | undefined> {
  const { rows: found } = await client.query<{ archive_ids: string[] }>(
    `select archive_ids from archived_partitions
      where partition_oid = $1::regclass and row_count = $2 and content_checksum = $3`,
    [name, rows, content],
  )
  return found[0]?.archive_ids
}

/** Which archives were restored, and are still: none of the partitions that their rows came into is gone. */
export async function restoredArchives(client: Queryable): Promise<ReadonlyMap<string, Date>> {
  const { rows } = await client.query<{ archive_id: string; restored_at: Date }>(
    `select archive_id, restored_at from archives where restored_at is not null and ${IS_STILL_THERE}`,
  )
  return new Map(rows.map(({ archive_id, restored_at }) => [archive_id, restored_at]))
}

const IS_STILL_THERE = `not exists (
  select from unnest(restored_into) as into_oid where not exists (select from pg_class where oid = into_oid))`

/**
 * Notes the archive, and keeps all others from restoring it until the transaction ends.
 *
 * @returns whether it was restored already, and is still there.
 */
export async function claimRestore(client: Queryable, manifest: ArchiveManifest): Promise<boolean> {
  await noteArchive(client, manifest)
  const { rows } = await client.query<{ is_restored: boolean }>(
    `select restored_at is not null and ${IS_STILL_THERE} as is_restored from archives where archive_id = $1 for update`,
    [manifest.id],
  )
  return rows[0]?.is_restored === true
}

/** Notes that an archive was restored: so many of its rows were not there. */
export async function noteRestored(
  client: Queryable,
  { id }: Pick<ArchiveManifest, 'id'>,
  rows: number,
  partitions: readonly string[],
): Promise<void> {
  await client.query(
    `update archives set restored_at = now(), restored_rows = $2, restored_into = $3::text[]::regclass[]::oid[]
      where archive_id = $1`,
    [id, rows, partitions],
  )
}
