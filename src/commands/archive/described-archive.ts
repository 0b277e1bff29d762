import { type ArchiveManifest, filesOf } from '../../retention/archive/archive-manifest.ts'

/** An archive as commands show it as JSON. */
export interface DescribedArchive {
  readonly id: string
  readonly table: string
  readonly from: string
  readonly to: string
  readonly format: string
  readonly rows: number
  /** Of all its files. */
  readonly bytes: number
  readonly createdAt: string
}

export function describeArchive(manifest: ArchiveManifest): DescribedArchive {
  const { id, table, from, to, format, createdAt, rows } = manifest
  const bytes = filesOf(manifest).reduce((sum, file) => sum + file.bytes, 0)
  return { id, table, from, to, format, rows: rows[0].rows, bytes, createdAt }
}
