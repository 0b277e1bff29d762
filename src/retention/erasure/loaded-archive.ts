import type { ArchiveManifest } from '../archive/archive-manifest.ts'
import type { ArchiveStorage } from '../archive/archive-storage.ts'
import { checkColumns, copyChecked } from '../archive/copy-archive.ts'
import type { ErasureContext } from './erasure-context.ts'

/** The rows of the archive that is loaded. */
export const LOADED_ROWS = 'erasing_rows'

/**
 * Loads an archive into temporary tables of the session for as long as `work` takes: its rows as {@link LOADED_ROWS}, and what they refer to as tables of the names
 * that the database has for it, which stand before those meanwhile. So the same SQL says what goes of an archive and of the database.
 *
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND for one that is not what it was.
 */
export async function withLoadedArchive<T>(
  { client, signal, onProgress }: ErasureContext,
  storage: ArchiveStorage,
  { manifest, withRows = true }: { readonly manifest: ArchiveManifest; readonly withRows?: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const context = {
    storage,
    signal,
    onProgress: ({ what, rows }: { readonly what: string; readonly rows: number }) =>
      onProgress({ step: 'finding', what, rows }),
  }
  await checkColumns(client, context, manifest)
  const files = [
    ...(withRows ? [{ of: manifest.rows[0], into: LOADED_ROWS }] : []),
    ...manifest.interned.map((of) => ({ of, into: of.table })),
  ]
  for (const { of, into } of files) {
    await client.query(`create temporary table ${into} (like ${of.table})`)
    await copyChecked(client, context, manifest, { of, into: `pg_temp.${into}` })
  }
  const result = await work()
  // Whatever fails ends the session, and with it they are gone.
  await client.query(`drop table ${files.map(({ into }) => `pg_temp.${into}`).join(', ')}`)
  return result
}
