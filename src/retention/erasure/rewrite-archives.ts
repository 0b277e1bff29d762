import { ARCHIVE_NUMBER, absentRowsOfArchivesSql } from '../archive/absent-rows-sql.ts'
import {
  type ArchiveManifest,
  listArchiveIds,
  rangeOf,
  rangeOfId,
  readManifest,
} from '../archive/archive-manifest.ts'
import type { ArchiveStorage } from '../archive/archive-storage.ts'
import { columnList, columnsOf } from '../archive/copy-table.ts'
import { CHANGING_COLUMNS } from '../archive/restore-archive.ts'
import { verifyArchive } from '../archive/verify-archive.ts'
import { newArchiveId, writeArchive } from '../archive/write-archive.ts'
import { PARTITIONED_TABLES, type PartitionedTable } from '../partitions.ts'
import { returnRollupsOf } from '../rollups/return-rollups-of.ts'
import { dropEmptyRollups } from './drop-empty-rollups.ts'
import type { ErasedArchive, ErasureContext, RunningErasure } from './erasure-context.ts'
import { addToErasure } from './erasure-records.ts'
import { LOADED_ROWS, withLoadedArchive } from './loaded-archive.ts'
import { HAS_MARKED_EXEMPLARS, hasMarks, isMarkedSql, KEPT_EXEMPLARS } from './marked-rows.ts'
import { beginReplacing, endReplacing, noteReplaced, type ReplacedArchive } from './replaced-archives.ts'

/** What goes of the archives of a day, in a table of the session. */
const GOING_ROWS = 'going_rows'

/**
 * Writes every archive anew, without its marked rows, in which there are some:
 *
 *     noted ── written and read back ──▶ replaced in the records, and what goes taken off kept rollups, in one transaction ──▶ the old one removed
 *
 * Before the transaction the old archive counts, after it the new one; what is left of the other is removed, then or by the next run. All archives of a table and day are one step: a row may
 * be in several of them.
 *
 * @param points archives of data points of which some go.
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND for one that cannot be read: those of its day stay, and so do the rows of all tables.
 */
export async function rewriteArchives(
  context: RunningErasure,
  storage: ArchiveStorage,
  points: ReadonlySet<string>,
): Promise<readonly ErasedArchive[]> {
  const erased: ErasedArchive[] = []
  for (const table of PARTITIONED_TABLES) {
    for (const day of await daysWithMarks(context, storage, { table, points })) {
      context.signal.throwIfAborted()
      erased.push(...(await rewriteDay(context, storage, day)))
    }
  }
  return erased
}

interface ArchivesOfDay {
  readonly table: PartitionedTable
  readonly fromMs: number
  readonly ids: string[]
}

/** The archives of each day that may have marked rows. */
async function daysWithMarks(
  { client }: ErasureContext,
  storage: ArchiveStorage,
  { table, points }: { readonly table: PartitionedTable; readonly points: ReadonlySet<string> },
): Promise<readonly ArchivesOfDay[]> {
  const days = new Map<number, ArchivesOfDay>()
  for (const id of await listArchiveIds(storage, table)) {
    const range = rangeOfId(id)
    const mayHave = table === 'metric_points' ? points.has(id) : await hasMarks(client, table, range)
    if (!mayHave) continue
    const fromMs = Math.floor(range.fromMs / DAY_MS) * DAY_MS
    const day = days.get(fromMs) ?? { table, fromMs, ids: [] }
    day.ids.push(id)
    days.set(fromMs, day)
  }
  return [...days.values()]
}

async function rewriteDay(
  context: RunningErasure,
  storage: ArchiveStorage,
  day: ArchivesOfDay,
): Promise<readonly ErasedArchive[]> {
  const { client, erasureId } = context
  const { table, ids } = day
  const replaced: ReplacedArchive[] = []
  await client.query(`create temporary table ${GOING_ROWS} (like ${table}, ${ARCHIVE_NUMBER} int)`)
  for (const [number, id] of ids.entries()) {
    const manifest = await readManifest(storage, id)
    const rewritten = await withLoadedArchive(context, storage, { manifest }, () =>
      rewriteLoaded(context, storage, { manifest, number }),
    )
    if (rewritten !== undefined) replaced.push(rewritten)
  }
  if (erasureId !== undefined && replaced.length > 0) {
    await client.query('begin')
    if (ROLLED_UP.has(table)) await takeOffRollups(context, day)
    await noteReplaced(client, replaced)
    const rows = replaced.reduce((sum, each) => sum + each.rows, 0)
    await addToErasure(client, erasureId, { archivedRows: rows })
    await client.query('commit')
    for (const { id } of replaced) await endReplacing(client, storage, { remove: id, of: id })
  }
  await client.query(`drop table pg_temp.${GOING_ROWS}`)
  return replaced.map(({ id, written, rows }) => ({
    id,
    replacedBy: erasureId === undefined ? undefined : (written?.id ?? null),
    rows,
  }))
}

/** Takes what is marked out of the loaded rows, and writes what stays. @returns undefined where nothing is marked. */
async function rewriteLoaded(
  { client, person, signal, erasureId }: RunningErasure,
  storage: ArchiveStorage,
  { manifest, number }: { readonly manifest: ArchiveManifest; readonly number: number },
): Promise<ReplacedArchive | undefined> {
  const { table, id } = manifest
  const columns = columnList(await columnsOf(client, table))
  const { rowCount } = await client.query(
    `with going as (delete from pg_temp.${LOADED_ROWS} r where ${isMarkedSql(table)} returning *)
     insert into pg_temp.${GOING_ROWS} (${columns}, ${ARCHIVE_NUMBER}) select ${columns}, ${number} from going`,
  )
  const rows = rowCount ?? 0
  const changed =
    table === 'metric_points'
      ? await client.query(
          `update pg_temp.${LOADED_ROWS} r set exemplars = ${KEPT_EXEMPLARS} where ${HAS_MARKED_EXEMPLARS}`,
          [person.users, person.sessions],
        )
      : undefined
  if (rows === 0 && (changed?.rowCount ?? 0) === 0) return undefined
  const { rows: left } = await client.query(`select from pg_temp.${LOADED_ROWS} limit 1`)
  if (erasureId === undefined || left.length === 0) {
    if (erasureId !== undefined) await beginReplacing(client, storage, { id, by: null })
    return { id, written: undefined, rows }
  }
  const partition = { table, ...rangeOf(manifest), name: `pg_temp.${LOADED_ROWS}` }
  const by = newArchiveId(partition)
  await beginReplacing(client, storage, { id, by })
  const { format } = manifest
  const rowsSql = `select ${columns} from only ${partition.name}`
  const written = await writeArchive({ client, storage, format, signal, partition, rowsSql, id: by })
  await verifyArchive({ storage, signal }, written)
  return { id, written, rows }
}

/** What goes and is in no table any more was kept by rollups when it was removed. */
async function takeOffRollups({ client }: ErasureContext, { table, fromMs }: ArchivesOfDay): Promise<void> {
  const columns = await columnsOf(client, table)
  const range = { fromMs, toMs: fromMs + DAY_MS }
  const time = columns.some(({ name }) => name === 'start_time') ? 'start_time' : 'time'
  const [since, until] = [range.fromMs, range.toMs].map((ms) => `'${new Date(ms).toISOString()}'`)
  await client.query(`create temporary table absent_rows (like ${table}) on commit drop`)
  const absent = absentRowsOfArchivesSql({
    columns,
    comparedColumns: columns.filter(({ name }) => !CHANGING_COLUMNS.has(name)),
    of: `pg_temp.${GOING_ROWS}`,
    // What goes is marked there, too.
    absentIn: `(select r.* from ${table} r where r.${time} >= ${since} and r.${time} < ${until} and ${isMarkedSql(table)})`,
  })
  const { rowCount } = await client.query(`insert into absent_rows (${columnList(columns)}) ${absent}`)
  if (rowCount === 0) return
  await returnRollupsOf(client, { table, ...range, relation: 'absent_rows' })
  await dropEmptyRollups(client, table, range)
}

const DAY_MS = 86_400_000
const ROLLED_UP: ReadonlySet<PartitionedTable> = new Set(['spans', 'log_records', 'metric_points'])
