import type pg from 'pg'
import type { PartitionInterval } from '../../settings.ts'
import { liftTimeLimits } from '../lift-time-limits.ts'
import { listPartitions } from '../list-partitions.ts'
import { hoursOf, overlaps } from '../partition-range.ts'
import { Partitions } from '../partitions.ts'
import type { RestoredRows } from '../restored-rows.ts'
import { returnRollupsOf } from '../rollups/return-rollups-of.ts'
import { absentRowsSql } from './absent-rows-sql.ts'
import type { ArchiveContext } from './archive-context.ts'
import { shareArchives } from './archive-lock.ts'
import { type ArchivedFile, type ArchiveManifest, rangeOf } from './archive-manifest.ts'
import { claimRestore, noteRestored } from './archive-records.ts'
import { checkColumns, copyChecked } from './copy-archive.ts'
import { columnList } from './copy-table.ts'
import { internedKey } from './interned-tables.ts'

export interface RestoreOptions extends Omit<ArchiveContext, 'format'> {
  readonly partitionInterval: PartitionInterval
  /** Called in the transaction that restores rows, after them: what is computed of rows is computed anew by it. */
  readonly onRestored?: (client: pg.ClientBase, rows: RestoredRows) => Promise<void>
}

export interface RestoreOutcome {
  /** Of the archive. */
  readonly rows: number
  /** Those of them that were not there. */
  readonly restored: number
  readonly wasRestoredBefore: boolean
}

/** What `observatory reprice` changes: a row whose cost was computed anew is the row that it was. */
export const CHANGING_COLUMNS: ReadonlySet<string> = new Set(['cost', 'cost_is_computed'])

/**
 * Brings the rows of an archive back that are not there: into partitions that are made where they are missing. The rows, and that they were restored, are one transaction; before it, what
 * they refer to is committed, as ingest does. So a process may be killed at any point, and it may be run twice, also at once.
 *
 * An archive that was restored and is still there is left alone: what was deleted from it since does not come back. Where several archives have rows of one partition, the newest is to
 * be restored first, for of a row in several the first one that comes back stays.
 *
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND for an archive that is not what it was: nothing of it is restored then.
 */
export async function restoreArchive(
  options: RestoreOptions,
  manifest: ArchiveManifest,
): Promise<RestoreOutcome> {
  const { pool, partitionInterval, onRestored } = options
  const [file] = manifest.rows
  const range = rangeOf(manifest)
  const client = await pool.connect()
  try {
    await liftTimeLimits(client)
    await shareArchives(client)
    await checkColumns(client, options, manifest)
    for (const interned of manifest.interned) await restoreInterned(options, client, manifest, interned)
    const partitions = new Partitions({ pool, interval: partitionInterval })
    const starts = new Set(hoursOf(range).map(({ fromMs }) => partitions.startOf(fromMs)))
    await partitions.ensure(client, [manifest.table], starts)
    await client.query('begin')
    if (await claimRestore(client, manifest)) return { rows: file.rows, restored: 0, wasRestoredBefore: true }
    const { restored, relation } = await restoreRows(options, client, manifest)
    const rows = { table: manifest.table, ...range, relation }
    await returnRollupsOf(client, rows)
    await onRestored?.(client, rows)
    const into = (await listPartitions(client, manifest.table)).filter((partition) =>
      overlaps(partition, range),
    )
    await noteRestored(
      client,
      manifest,
      restored,
      into.map(({ name }) => name),
    )
    await client.query('commit')
    return { rows: file.rows, restored, wasRestoredBefore: false }
  } finally {
    // What was begun goes with it.
    client.release(true)
  }
}

async function restoreRows(
  options: RestoreOptions,
  client: pg.ClientBase,
  manifest: ArchiveManifest,
): Promise<{ readonly restored: number; readonly relation: string }> {
  const { table } = manifest
  const [{ columns }] = manifest.rows
  const time = columns.some(({ name }) => name === 'start_time') ? 'start_time' : 'time'
  const within = `select * from ${table} where ${time} >= '${manifest.from}' and ${time} < '${manifest.to}'`
  const { rows: present } = await client.query(`select from (${within}) as present limit 1`)
  if (present.length === 0) {
    const restored = await copyChecked(client, options, manifest, { of: manifest.rows[0], into: table })
    return { restored, relation: `(${within})` }
  }
  await client.query(`create temporary table restored_rows (like ${table}) on commit drop`)
  await copyChecked(client, options, manifest, { of: manifest.rows[0], into: 'restored_rows' })
  const absent = absentRowsSql({
    columns,
    comparedColumns: columns.filter(({ name }) => !CHANGING_COLUMNS.has(name)),
    of: 'restored_rows',
    absentIn: `(${within})`,
  })
  await client.query(`create temporary table absent_rows (like ${table}) on commit drop`)
  await client.query(`insert into absent_rows (${columnList(columns)}) ${absent}`)
  const { rowCount } = await client.query(
    `insert into ${table} (${columnList(columns)}) select ${columnList(columns)} from absent_rows`,
  )
  return { restored: rowCount ?? 0, relation: 'absent_rows' }
}

/** What is there stays: an id is a hash of the content. */
async function restoreInterned(
  options: RestoreOptions,
  client: pg.ClientBase,
  manifest: ArchiveManifest,
  file: ArchivedFile,
): Promise<void> {
  const { table, columns } = file
  await client.query('begin')
  await client.query(`create temporary table restored_${table} (like ${table}) on commit drop`)
  await copyChecked(client, options, manifest, { of: file, into: `restored_${table}` })
  await client.query(
    `insert into ${table} (${columnList(columns)}) select ${columnList(columns)} from restored_${table}
      order by ${internedKey(table)} on conflict do nothing`,
  )
  await client.query('commit')
}
