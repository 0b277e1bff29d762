import type pg from 'pg'
import { ObservatoryError } from '../../errors.ts'
import type { ArchiveContext } from './archive-context.ts'
import { type ArchivedFile, type ArchiveManifest, filesOf } from './archive-manifest.ts'
import { ContentChecksum } from './content-checksum.ts'
import { columnsOf, copyIn } from './copy-table.ts'
import { checkedRows, unsound } from './verify-archive.ts'

type CopyContext = Pick<ArchiveContext, 'storage' | 'onProgress' | 'signal' | 'pace'>

/** Copies the rows of a file of an archive into a table, and sees that they are all of them, and what they were. */
export async function copyChecked(
  client: pg.ClientBase,
  context: CopyContext,
  manifest: ArchiveManifest,
  { of: file, into }: { readonly of: ArchivedFile; readonly into: string },
): Promise<number> {
  const { onProgress, signal, pace } = context
  const checksum = new ContentChecksum()
  async function* summed() {
    for await (const some of checkedRows(context, manifest, file)) {
      signal?.throwIfAborted()
      for (const row of some) checksum.add(row)
      yield some
      if (file.table === manifest.table)
        onProgress?.({ step: 'restoring', what: manifest.id, rows: checksum.rows })
      await pace?.rest(signal)
    }
  }
  const rows = await copyIn(client, { table: into, columns: file.columns }, summed())
  if (rows !== file.rows || checksum.digest() !== file.content)
    throw unsound(context, manifest, file, `has ${rows} rows of ${file.rows}, or others than it had`)
  return rows
}

/** A column that is gone, or is of another type now, would be lost without a word. @throws ObservatoryError ERR_SERVER_UNSUITABLE. */
export async function checkColumns(
  client: pg.ClientBase,
  { storage }: Pick<CopyContext, 'storage'>,
  manifest: ArchiveManifest,
): Promise<void> {
  for (const { table, columns } of filesOf(manifest)) {
    const types = new Map((await columnsOf(client, table)).map(({ name, type }) => [name, type]))
    const odd = columns.find(({ name, type }) => types.get(name) !== type)
    if (odd === undefined) continue
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `The archive ${manifest.id} in ${storage.place} has a column ${odd.name} of the type ${odd.type}, which ${table} has not: it was made at version ${manifest.schemaVersion} of the schema; restore it with a program of that time into a database of its own`,
    )
  }
}
