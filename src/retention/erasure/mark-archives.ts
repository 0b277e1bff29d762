import {
  type ArchivedFile,
  type ArchiveManifest,
  filesOf,
  listArchiveIds,
  readManifest,
} from '../archive/archive-manifest.ts'
import type { ArchiveStorage } from '../archive/archive-storage.ts'
import { fieldsOfRow } from '../archive/copied-rows.ts'
import { checkedRows } from '../archive/verify-archive.ts'
import type { PartitionedTable } from '../partitions.ts'
import type { ErasureContext } from './erasure-context.ts'
import { LOADED_ROWS, withLoadedArchive } from './loaded-archive.ts'
import { type MarkedTables, markNamed, markOfTraces } from './mark-rows.ts'
import { NamedInBytes, traceIdsIn } from './named-in-bytes.ts'

/** In this order: spans tell which answers evaluations may name. */
const TABLES_OF_TRACES: readonly PartitionedTable[] = ['spans', 'span_contents', 'log_records', 'evaluations']

/** Of points it is their series that name somebody. */
const TABLES_OF_NAMES: readonly PartitionedTable[] = ['spans', 'log_records', 'evaluations', 'metric_points']

/** Marks what names a user or a session of the person in archives. An archive in which no id stands is read, and not loaded. */
export async function markNamedInArchives(context: ErasureContext, storage: ArchiveStorage): Promise<void> {
  const { client, person } = context
  if (person.users.length + person.sessions.length === 0) return
  const named = new NamedInBytes(person)
  for (const table of TABLES_OF_NAMES) {
    const withRows = table !== 'metric_points'
    for (const id of await listArchiveIds(storage, table)) {
      const manifest = await readManifest(storage, id)
      const files = withRows ? filesOf(manifest) : manifest.interned
      const isNamed = await findIn(context, storage, { manifest, files }, async (_, rows) =>
        rows.some((row) => named.isIn(row)),
      )
      if (!isNamed) continue
      await withLoadedArchive(context, storage, { manifest, withRows }, () =>
        markNamed(client, person, tablesOf(manifest)),
      )
    }
  }
}

/**
 * Marks all records of the marked traces in archives.
 *
 * @returns archives of data points of which some go: these are known by their series, not by their time.
 */
export async function markTracesInArchives(
  context: ErasureContext,
  storage: ArchiveStorage,
): Promise<ReadonlySet<string>> {
  const { client, person } = context
  for (const table of TABLES_OF_TRACES) {
    for (const id of await listArchiveIds(storage, table)) {
      const manifest = await readManifest(storage, id)
      const isOfTrace = await findIn(context, storage, { manifest, files: manifest.rows }, (file, rows) =>
        hasMarked(context, file, rows),
      )
      if (isOfTrace)
        await withLoadedArchive(context, storage, { manifest }, () =>
          markOfTraces(client, tablesOf(manifest)),
        )
    }
  }
  const points = new Set<string>()
  const named = new NamedInBytes(person)
  for (const id of await listArchiveIds(storage, 'metric_points')) {
    const manifest = await readManifest(storage, id)
    const hasSome = await findIn(
      context,
      storage,
      { manifest, files: manifest.rows },
      async (file, rows) => (await hasMarked(context, file, rows)) || rows.some((row) => named.isIn(row)),
    )
    if (hasSome) points.add(id)
  }
  return points
}

function tablesOf({ table, interned }: ArchiveManifest): MarkedTables {
  return { ...Object.fromEntries(interned.map((file) => [file.table, file.table])), [table]: LOADED_ROWS }
}

/** Reads files until something is found in them. */
async function findIn(
  { signal, onProgress }: ErasureContext,
  storage: ArchiveStorage,
  { manifest, files }: { readonly manifest: ArchiveManifest; readonly files: readonly ArchivedFile[] },
  isFound: (file: ArchivedFile, rows: readonly Buffer[]) => Promise<boolean>,
): Promise<boolean> {
  for (const file of files) {
    let rows = 0
    for await (const some of checkedRows({ storage, signal }, manifest, file)) {
      signal.throwIfAborted()
      rows += some.length
      onProgress({ step: 'finding', what: manifest.id, rows })
      if (await isFound(file, some)) return true
    }
  }
  return false
}

/** Whether any of the rows is of a marked trace, answer or series. */
async function hasMarked(
  { client }: ErasureContext,
  { columns }: ArchivedFile,
  rows: readonly Buffer[],
): Promise<boolean> {
  const place = (column: string) => columns.findIndex(({ name }) => name === column)
  const [trace, response, series, exemplars] = ['trace_id', 'response_id', 'series_id', 'exemplars'].map(
    place,
  )
  const traces = new Set<string>()
  const responses = new Set<string>()
  const ofSeries = new Set<string>()
  for (const row of rows) {
    const fields = fieldsOfRow(row)
    const field = (at = -1) => fields[at] ?? undefined
    const traceId = field(trace)?.toString('hex')
    if (traceId !== undefined) traces.add(traceId)
    for (const id of traceIdsIn(field(exemplars) ?? NOTHING)) traces.add(id)
    const responseId = field(response)?.toString()
    if (responseId !== undefined) responses.add(responseId)
    const seriesId = field(series)?.readBigInt64BE().toString()
    if (seriesId !== undefined) ofSeries.add(seriesId)
  }
  const { rows: found } = await client.query<{ marked: boolean }>(
    `select exists (select from erasing_traces where trace_id = any($1::uuid[]))
         or exists (select from erasing_responses where response_id = any($2::text[]))
         or exists (select from erasing_series where series_id = any($3::bigint[])) as marked`,
    [[...traces], [...responses], [...ofSeries]],
  )
  return found[0]?.marked === true
}

const NOTHING = Buffer.alloc(0)
