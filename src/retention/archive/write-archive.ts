import { createHash, randomBytes } from 'node:crypto'
import type pg from 'pg'
import { ownVersion } from '../../own-version.ts'
import type { ArchiveContext, ArchivePartition } from './archive-context.ts'
import {
  type ArchivedFile,
  type ArchiveManifest,
  archiveId,
  filePath,
  writeManifest,
} from './archive-manifest.ts'
import { ContentChecksum } from './content-checksum.ts'
import type { CopiedRow } from './copied-rows.ts'
import { columnList, columnsOf, copyOut } from './copy-table.ts'
import { internedTables } from './interned-tables.ts'
import { type ArchivedColumn, encodeRows, FILE_ENDINGS } from './rows-file.ts'

interface WriteArchive extends Pick<ArchiveContext, 'storage' | 'format' | 'onProgress' | 'signal' | 'pace'> {
  /** In a transaction that sees one state of the database. */
  readonly client: pg.ClientBase
  readonly partition: ArchivePartition
  /** SQL of the rows, with the columns of the table; they are sorted here. */
  readonly rowsSql: string
  /** Where it is to be known before it is there. */
  readonly id?: string
}

/** By time; what comes after it is in the order in which it came in. */
const ORDER = ['start_time', 'time', 'entry_ms', 'entry_seq', 'record_index', 'position']

/** An id that no other archive has. */
export function newArchiveId({ table, ...range }: Omit<ArchivePartition, 'name'>): string {
  return archiveId(table, range, Date.now(), randomBytes(4).toString('hex'))
}

/**
 * Writes what rows of a partition refer to, then the rows, and the manifest last: whoever reads all files of rows that there are, and asks for no manifest, finds hardly ever some that a killed process has left.
 * What is held is a group of rows, whatever there is.
 */
export async function writeArchive(options: WriteArchive): Promise<ArchiveManifest> {
  const { client, partition, storage, format, rowsSql } = options
  const { table, fromMs, toMs } = partition
  const id = options.id ?? newArchiveId(partition)
  // Its own: a detached partition is as its table was.
  const columns = await columnsOf(client, partition.name)
  const names = new Set(columns.map(({ name }) => name))
  const order = ORDER.filter((name) => names.has(name)).map((name) => `"${name}"`)
  const interned: ArchivedFile[] = []
  for (const { table: other, sql } of internedTables(names, partition.name)) {
    const otherColumns = await columnsOf(client, other)
    const select = `select ${columnList(otherColumns)} from ${other} ${sql}`
    interned.push(await writeFile(options, id, { table: other, columns: otherColumns, sql: select }))
  }
  const rows = await writeFile(options, id, {
    table,
    columns,
    sql: `${rowsSql} order by ${order.join(', ')}`,
  })
  const { rows: versions } = await client.query<{ version: number }>(
    'select coalesce(max(version), 0)::int as version from schema_migrations',
  )
  const manifest: ArchiveManifest = {
    version: 1,
    id,
    table,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    format,
    createdAt: new Date().toISOString(),
    software: `llm-observatory ${ownVersion()}`,
    schemaVersion: versions[0]?.version ?? 0,
    rows: [rows],
    interned,
  }
  await writeManifest(storage, manifest)
  return manifest
}

async function writeFile(
  { client, storage, format, partition, onProgress, signal, pace }: WriteArchive,
  id: string,
  {
    table,
    columns,
    sql,
  }: { readonly table: string; readonly columns: readonly ArchivedColumn[]; readonly sql: string },
): Promise<ArchivedFile> {
  const name = `${table}.${FILE_ENDINGS[format]}`
  const checksum = new ContentChecksum()
  const sha256 = createHash('sha256')
  let bytes = 0
  async function* summed(rows: AsyncIterable<readonly CopiedRow[]>) {
    for await (const some of rows) {
      signal?.throwIfAborted()
      for (const row of some) checksum.add(row.bytes)
      yield some
      if (table === partition.table)
        onProgress?.({ step: 'writing', what: partition.name, rows: checksum.rows })
      await pace?.rest(signal)
    }
  }
  async function* measured(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      sha256.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  const encoded = encodeRows(format, columns, summed(copyOut(client, sql)))
  await storage.write(filePath({ id }, { name }), measured(encoded))
  return {
    name,
    table,
    columns,
    rows: checksum.rows,
    content: checksum.digest(),
    bytes,
    sha256: sha256.digest('hex'),
  }
}
