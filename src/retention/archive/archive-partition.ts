import type pg from 'pg'
import { ObservatoryError } from '../../errors.ts'
import { liftTimeLimits } from '../lift-time-limits.ts'
import { withCancellableClient } from '../with-cancellable-client.ts'
import { ARCHIVE_NUMBER, unarchivedRowsSql } from './absent-rows-sql.ts'
import type { ArchiveContext, ArchivePartition } from './archive-context.ts'
import { shareArchives } from './archive-lock.ts'
import { type ArchiveManifest, archivesWithin } from './archive-manifest.ts'
import {
  archivesOfContent,
  noteArchive,
  noteArchived,
  notedContent,
  noteVerified,
  type PartitionContent,
} from './archive-records.ts'
import { ContentChecksum } from './content-checksum.ts'
import { columnList, columnsOf, copyIn, copyOut } from './copy-table.ts'
import { rowVersions } from './row-versions.ts'
import { checkedRows, verifyArchive, verifyFiles } from './verify-archive.ts'
import { writeArchive } from './write-archive.ts'

/** What became of a partition. */
export interface ArchiveOutcome {
  /** Of the partition. */
  readonly rows: number
  /** What was written, which has the rows that were in no archive yet; undefined where there were none. */
  readonly written: ArchiveManifest | undefined
}

/**
 * Sees to it that every row of a partition is in an archive that can be read back: of rows that came after it was archived, which may be so until it is gone, a further archive is made.
 * No archive is changed or removed. What was left by a process that was killed is no archive, for its manifest is not there; one whose manifest is there is found by it.
 *
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND where what was written, or was there, cannot be read back; ERR_USAGE while another process archives the partition.
 */
export async function archivePartition(
  context: ArchiveContext,
  partition: ArchivePartition,
): Promise<ArchiveOutcome> {
  // With the connection go the locks, and what was begun.
  return withCancellableClient(context.pool, context.signal ?? NEVER, async (client) => {
    await liftTimeLimits(client, PATIENCE)
    await shareArchives(client)
    await lock(client, partition)
    const known = await archivesWithin(context.storage, partition.table, partition)
    const { written, content, readBack } = await lookAt(context, client, partition, known)
    if (written !== undefined) await verifyArchive(context, written)
    for (const manifest of readBack) await verifyFiles(context, manifest)
    if (content.rows > 0) await note(client, partition, content, { written, readBack })
    return { rows: content.rows, written }
  })
}

async function note(
  client: pg.ClientBase,
  partition: ArchivePartition,
  content: PartitionContent,
  { written, readBack }: Pick<Look, 'written' | 'readBack'>,
): Promise<void> {
  await client.query('begin')
  if (written !== undefined) {
    await noteArchive(client, written)
    await noteVerified(client, written)
  }
  const ids = [...readBack, ...(written === undefined ? [] : [written])].map(({ id }) => id)
  await noteArchived(client, partition, content, ids)
  await client.query('commit')
}

/** Rows are not read, and the transaction idles, for as long as a part of them is on its way to a bucket: a request may take five minutes. */
const PATIENCE = { tcp_user_timeout: '600000', idle_in_transaction_session_timeout: '600000' }

const NEVER = new AbortController().signal

async function lock(client: pg.ClientBase, { name }: ArchivePartition): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(hashtextextended('observatory archive of ' || $1, 0)) as locked`,
    [name],
  )
  if (rows[0]?.locked !== true)
    throw new ObservatoryError('ERR_USAGE', `Another process archives ${name}; wait for its end`)
}

interface Look {
  readonly content: PartitionContent
  readonly written: ArchiveManifest | undefined
  /** Those that were there and have rows of it. */
  readonly readBack: readonly ArchiveManifest[]
}

/** One state of the partition, and what of it is in no archive yet, written. */
async function lookAt(
  context: ArchiveContext,
  client: pg.ClientBase,
  partition: ArchivePartition,
  known: readonly ArchiveManifest[],
): Promise<Look> {
  const columns = await columnsOf(client, partition.name)
  const all = `select ${columnList(columns)} from only ${partition.name}`
  await client.query('begin isolation level repeatable read')
  try {
    const { rows: count, versions } = await rowVersions(client, partition.name, columns)
    await context.pace?.rest(context.signal)
    // Of an empty one nothing is written, not even that it is empty.
    if (count === 0) return { content: { rows: 0, content: '', versions }, written: undefined, readBack: [] }
    if (known.length === 0) {
      const written = await writeArchive({ ...context, client, partition, rowsSql: all })
      return { content: { ...written.rows[0], versions }, written, readBack: [] }
    }
    const noted = await notedContent(client, partition.name, versions)
    const isThere = (id: string) => known.some((archive) => archive.id === id)
    if (noted?.archiveIds.every(isThere) === true)
      return {
        content: noted,
        written: undefined,
        readBack: known.filter(({ id }) => noted.archiveIds.includes(id)),
      }
    const content = { ...(await contentOf(context, client, partition, all)), versions }
    const covering = await coveringArchives(client, partition, content, known)
    if (covering !== undefined) return { content, written: undefined, readBack: covering }
    const archived = await loadArchives(context, client, partition, known)
    const rowsSql = unarchivedRowsSql({ columns, of: `only ${partition.name}`, absentIn: archived })
    const { rows } = await client.query(`${rowsSql} limit 1`)
    const written =
      rows.length === 0 ? undefined : await writeArchive({ ...context, client, partition, rowsSql })
    return { content, written, readBack: known }
  } finally {
    // What is to be noted is noted by another transaction: reading back takes long, and this one keeps old rows from being vacuumed.
    await client.query('rollback').catch(() => undefined)
  }
}

async function contentOf(
  { onProgress, signal, pace }: ArchiveContext,
  client: pg.ClientBase,
  { name }: ArchivePartition,
  sql: string,
): Promise<Omit<PartitionContent, 'versions'>> {
  const checksum = new ContentChecksum()
  for await (const some of copyOut(client, sql)) {
    signal?.throwIfAborted()
    for (const { bytes } of some) checksum.add(bytes)
    onProgress?.({ step: 'checking', what: name, rows: checksum.rows })
    await pace?.rest(signal)
  }
  return { rows: checksum.rows, content: checksum.digest() }
}

/** The archives that are known to have exactly these rows: by what was noted, or because one alone has them. */
async function coveringArchives(
  client: pg.ClientBase,
  { name }: ArchivePartition,
  content: PartitionContent,
  known: readonly ArchiveManifest[],
): Promise<readonly ArchiveManifest[] | undefined> {
  const ids = await archivesOfContent(client, name, content)
  const noted = known.filter(({ id }) => ids?.includes(id))
  if (ids !== undefined && noted.length === ids.length) return noted
  const same = known.find(({ rows: [of] }) => of.rows === content.rows && of.content === content.content)
  return same && [same]
}

/** The rows of all these archives, in a table of this transaction. @returns its name. */
async function loadArchives(
  context: ArchiveContext,
  client: pg.ClientBase,
  { table }: ArchivePartition,
  known: readonly ArchiveManifest[],
): Promise<string> {
  await client.query(
    `create temporary table archived_rows (like ${table}, ${ARCHIVE_NUMBER} int) on commit drop`,
  )
  for (const [number, manifest] of known.entries()) {
    const [file] = manifest.rows
    await client.query(`alter table archived_rows alter ${ARCHIVE_NUMBER} set default ${number}`)
    await copyIn(
      client,
      { table: 'archived_rows', columns: file.columns },
      checkedRows(context, manifest, file),
    )
  }
  return 'archived_rows'
}
