import { createHash } from 'node:crypto'
import { messageOf, ObservatoryError } from '../../errors.ts'
import type { ArchiveContext } from './archive-context.ts'
import { type ArchivedFile, type ArchiveManifest, filePath, filesOf } from './archive-manifest.ts'
import { ContentChecksum } from './content-checksum.ts'
import { decodeRows } from './rows-file.ts'

type VerifyContext = Pick<ArchiveContext, 'storage' | 'onProgress' | 'signal' | 'pace'>

/**
 * Reads an archive back: that all its files have the bytes they were written with, and that every row in them can be read and is what the database had.
 *
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND, naming the file, for one that is not so.
 */
export async function verifyArchive(context: VerifyContext, manifest: ArchiveManifest): Promise<void> {
  await verifyFiles(context, manifest)
  let rows = 0
  for (const file of filesOf(manifest)) {
    const checksum = new ContentChecksum()
    for await (const some of checkedRows(context, manifest, file)) {
      context.signal?.throwIfAborted()
      for (const row of some) checksum.add(row)
      rows += some.length
      context.onProgress?.({ step: 'verifying', what: manifest.id, rows })
      await context.pace?.rest(context.signal)
    }
    if (checksum.rows !== file.rows || checksum.digest() !== file.content)
      throw unsound(
        context,
        manifest,
        file,
        `has ${checksum.rows} rows of ${file.rows}, or others than it had`,
      )
  }
}

/** That its files have the bytes they were written with, which is quicker. @throws as {@link verifyArchive}. */
export async function verifyFiles(context: VerifyContext, manifest: ArchiveManifest): Promise<void> {
  const { storage, signal, pace } = context
  for (const file of filesOf(manifest)) {
    const path = filePath(manifest, file)
    const size = await storage.size(path)
    if (size !== file.bytes)
      throw unsound(context, manifest, file, `has ${size ?? 'no'} bytes of ${file.bytes}`)
    const sha256 = createHash('sha256')
    for await (const chunk of storage.stream(path)) {
      signal?.throwIfAborted()
      sha256.update(chunk)
      await pace?.rest(signal)
    }
    if (sha256.digest('hex') !== file.sha256)
      throw unsound(context, manifest, file, 'has other bytes than it had')
  }
}

/** The rows of a file, as COPY BINARY has them. @throws as {@link verifyArchive} for a file that cannot be read as what it is. */
export async function* checkedRows(
  context: VerifyContext,
  manifest: ArchiveManifest,
  file: ArchivedFile,
): AsyncGenerator<readonly Buffer[]> {
  const { storage } = context
  const source = { storage, path: filePath(manifest, file), bytes: file.bytes }
  try {
    yield* decodeRows(manifest.format, file.columns, source)
  } catch (error) {
    if (error instanceof ObservatoryError) throw error
    throw unsound(context, manifest, file, `cannot be read: ${messageOf(error)}`, error)
  }
}

export function unsound(
  { storage }: Pick<ArchiveContext, 'storage'>,
  manifest: ArchiveManifest,
  file: ArchivedFile,
  what: string,
  cause?: unknown,
): ObservatoryError {
  return new ObservatoryError(
    'ERR_ARCHIVE_UNSOUND',
    `${filePath(manifest, file)} in ${storage.place} ${what}: nothing was removed or restored by it; bring it back from a copy, or archive the partition again while it is there`,
    { cause },
  )
}
