import { ObservatoryError } from '../../errors.ts'
import { ARCHIVE_FORMATS, type ArchiveFormat } from '../../settings.ts'
import type { PartitionRange } from '../partition-range.ts'
import { PARTITIONED_TABLES, type PartitionedTable } from '../partitions.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { INTERNED_TABLES } from './interned-tables.ts'
import { type ArchivedColumn, FILE_ENDINGS } from './rows-file.ts'

const MANIFEST_NAME = 'manifest.json'
/** Of the manifest and the files it describes; a later one may not be read by this program. */
const MANIFEST_VERSION = 1
const HOUR_MS = 3_600_000

/** A file of an archive: rows of one table. */
export interface ArchivedFile {
  /** In the folder of the archive. */
  readonly name: string
  readonly table: string
  readonly columns: readonly ArchivedColumn[]
  readonly rows: number
  /** As `ContentChecksum` has it. */
  readonly content: string
  readonly bytes: number
  readonly sha256: string
}

/** What is in an archive. Written last: without it there is no archive. */
export interface ArchiveManifest {
  readonly version: typeof MANIFEST_VERSION
  /** Its folder, too. */
  readonly id: string
  readonly table: PartitionedTable
  /** The time range of the partition, the end exclusive. */
  readonly from: string
  readonly to: string
  readonly format: ArchiveFormat
  readonly createdAt: string
  readonly software: string
  /** The newest migration of the database. */
  readonly schemaVersion: number
  readonly rows: readonly [of: ArchivedFile]
  /** What the rows refer to by their ids. */
  readonly interned: readonly ArchivedFile[]
}

/** `spans/2026-11-23/20261201T023000123Z-1a2b3c4d`: each has a folder of its own, so that no two writers ever write the same file. */
export function archiveId(
  table: PartitionedTable,
  range: PartitionRange,
  nowMs: number,
  random: string,
): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')
  return `${table}/${rangeName(range)}/${time}-${random}`
}

function rangeName({ fromMs, toMs }: PartitionRange): string {
  return new Date(fromMs).toISOString().slice(0, toMs - fromMs === HOUR_MS ? 13 : 10)
}

/** Where the file is. */
export function filePath({ id }: Pick<ArchiveManifest, 'id'>, { name }: Pick<ArchivedFile, 'name'>): string {
  return `${id}/${name}`
}

/** The time range of the archive's partition, in unix milliseconds. */
export function rangeOf({ from, to }: Pick<ArchiveManifest, 'from' | 'to'>): PartitionRange {
  return { fromMs: Date.parse(from), toMs: Date.parse(to) }
}

/** All files of it. */
export function filesOf({ rows, interned }: ArchiveManifest): readonly ArchivedFile[] {
  return [...rows, ...interned]
}

export async function writeManifest(storage: ArchiveStorage, manifest: ArchiveManifest): Promise<void> {
  const text = Buffer.from(`${JSON.stringify({ ...manifest, version: MANIFEST_VERSION }, null, 2)}\n`)
  await storage.write(`${manifest.id}/${MANIFEST_NAME}`, only(text))
}

/** @throws ObservatoryError ERR_ARCHIVE_UNSOUND for an archive that there is none of, or whose manifest cannot be read. */
export async function readManifest(storage: ArchiveStorage, id: string): Promise<ArchiveManifest> {
  const path = `${id}/${MANIFEST_NAME}`
  const size = await storage.size(path)
  const unsound = (what: string) =>
    new ObservatoryError('ERR_ARCHIVE_UNSOUND', `The archive ${id} in ${storage.place} ${what}`)
  if (size === undefined) throw unsound('is not there: "observatory archive list" shows those that are')
  try {
    const manifest = JSON.parse((await storage.read(path, 0, size)).toString()) as ArchiveManifest
    if (manifest.version === MANIFEST_VERSION && isWellFormed(manifest, id)) return manifest
  } catch (error) {
    if (![SyntaxError, TypeError, RangeError].some((kind) => error instanceof kind)) throw error
  }
  throw unsound(`has a ${MANIFEST_NAME} that is damaged, or of a newer version of this program`)
}

/** Whoever can write to the place of archives is not let into the database by it: names of tables and times come into SQL, those of files into paths. */
function isWellFormed(manifest: ArchiveManifest, id: string): boolean {
  const { table, format, rows, interned } = manifest
  const { fromMs, toMs } = rangeOfId(id)
  return (
    manifest.id === id &&
    id.startsWith(`${table}/`) &&
    PARTITIONED_TABLES.includes(table) &&
    ARCHIVE_FORMATS.includes(format) &&
    manifest.from === new Date(fromMs).toISOString() &&
    manifest.to === new Date(toMs).toISOString() &&
    rows.length === 1 &&
    rows[0].table === table &&
    interned.every((file) => INTERNED_TABLES.includes(file.table)) &&
    [...rows, ...interned].every((file) => file.name === `${file.table}.${FILE_ENDINGS[format]}`)
  )
}

/** The ids of all archives, of one table where it is given, in the order of their times. */
export async function listArchiveIds(
  storage: ArchiveStorage,
  table?: PartitionedTable,
): Promise<readonly string[]> {
  const ids: string[] = []
  for (const folder of table === undefined ? PARTITIONED_TABLES : [table])
    for (const path of await storage.list(folder))
      if (path.endsWith(`/${MANIFEST_NAME}`)) ids.push(path.slice(0, -MANIFEST_NAME.length - 1))
  return ids
}

/** The archives of partitions that overlap the range, the oldest first. */
export async function archivesWithin(
  storage: ArchiveStorage,
  table: PartitionedTable,
  range: PartitionRange,
): Promise<readonly ArchiveManifest[]> {
  const found: ArchiveManifest[] = []
  for (const id of await listArchiveIds(storage, table)) {
    const { fromMs, toMs } = rangeOfId(id)
    if (fromMs < range.toMs && range.fromMs < toMs) found.push(await readManifest(storage, id))
  }
  return found
}

/** As its folder says it: a day, or an hour. */
export function rangeOfId(id: string): PartitionRange {
  const [, name = ''] = id.split('/')
  const isHour = name.includes('T')
  const fromMs = Date.parse(isHour ? `${name}:00:00Z` : `${name}T00:00:00Z`)
  return { fromMs, toMs: fromMs + (isHour ? 1 : 24) * HOUR_MS }
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
