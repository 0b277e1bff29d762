import { ObservatoryError } from '../../errors.ts'
import { type ErasedInterned, eraseInterned } from './erase-interned.ts'
import { eraseLetters } from './erase-letters.ts'
import { type ErasedRows, eraseRows } from './erase-rows.ts'
import type { ErasedArchive, ErasureContext } from './erasure-context.ts'
import { markAside } from './erasure-marks.ts'
import {
  addToErasure,
  type BegunErasure,
  beginErasure,
  type ErasedCounts,
  endErasure,
} from './erasure-records.ts'
import { markNamedInArchives, markTracesInArchives } from './mark-archives.ts'
import { LIVE_TABLES, markGiven, markNamed, markOfTraces } from './mark-rows.ts'
import { endBegunReplacing } from './replaced-archives.ts'
import { rewriteArchives } from './rewrite-archives.ts'
import { vacuumErased } from './vacuum-erased.ts'

/** What became of entries of streams. */
export interface ErasedEntries {
  /** Those that hold records of the person and are settled. */
  readonly erased: number
  /** Those that wait to be ingested, or that another group needs: they stay. */
  readonly left: number
}

export interface RunErasureOptions extends ErasureContext {
  /** Whether to go on where archives were written, and it is not said where they are. */
  readonly withoutArchives: boolean
  /** Erases entries from streams, while what goes is marked. */
  readonly eraseEntries: (context: ErasureContext) => Promise<ErasedEntries>
}

/** What an erasure did, or would do. */
export interface ErasureReport extends ErasedRows, ErasedInterned {
  readonly archives: readonly ErasedArchive[]
  readonly letters: number
  readonly entries: ErasedEntries
  /** Of all runs of this erasure; undefined in a dry run, and while it has not ended. */
  readonly all: ErasedCounts | undefined
  /** Partitions that could not be vacuumed now. */
  readonly unvacuumed: readonly string[]
  /** When other erasures were begun that have not ended. */
  readonly unfinished: readonly Date[]
}

/**
 * Erases what is there of a person, from wherever an erasure of the same ids was left:
 *
 *     noted ──▶ marked, in tables and archives ──▶ archives written anew ──▶ rows, dead letters, entries erased ──▶ series and resources ──▶ ended, marks forgotten
 *
 * Archives come before rows: what is in an archive and in no table was removed by retention, and is what rollups have kept. Nothing that finds is erased before all that it finds is
 * marked, and marks are committed: so a process may end anywhere.
 *
 * @throws ObservatoryError ERR_ARCHIVE_UNSOUND for an archive that cannot be read, ERR_USAGE where archives are and it is not said where.
 */
export async function runErasure(options: RunErasureOptions): Promise<ErasureReport> {
  const { client, dryRun, storage } = options
  await requireArchives(options)
  if (storage !== undefined && !dryRun) await endBegunReplacing(client, storage)
  let begun: BegunErasure | undefined
  if (dryRun) await markAside(client)
  else begun = await beginErasure(client, options.person)
  const context = { ...options, erasureId: begun?.erasureId }
  const points = await mark(context)
  const archives = storage === undefined ? [] : await rewriteArchives(context, storage, points)
  const rows = await eraseRows(context)
  const letters = await eraseLetters(context)
  const entries = await options.eraseEntries(context)
  const interned = await eraseInterned(context)
  const report = { ...rows, ...interned, archives, letters, entries, unfinished: begun?.unfinished ?? [] }
  if (begun === undefined) return { ...report, all: undefined, unvacuumed: [] }
  await addToErasure(client, begun.erasureId, { entries: entries.erased })
  const unvacuumed = await vacuumErased(context)
  // What waits in streams is of the next run.
  const all = entries.left > 0 ? undefined : await endErasure(client, begun.erasureId)
  return { ...report, all, unvacuumed }
}

async function requireArchives({ client, storage, withoutArchives }: RunErasureOptions): Promise<void> {
  if (storage !== undefined || withoutArchives) return
  const { rows } = await client.query<{ count: number }>('select count(*)::int as count from archives')
  const count = rows[0]?.count ?? 0
  if (count > 0)
    throw new ObservatoryError(
      'ERR_USAGE',
      `${count} archives were written of this database, and ARCHIVE_URL does not say where: set it, or leave them as they are by --without-archives`,
    )
}

/** @returns archives of data points of which some go. */
async function mark(context: ErasureContext): Promise<ReadonlySet<string>> {
  const { client, person, storage, onProgress } = context
  onProgress({ step: 'finding', what: 'tables', rows: 0 })
  await markGiven(client, person)
  await markNamed(client, person, LIVE_TABLES)
  if (storage !== undefined) await markNamedInArchives(context, storage)
  await markOfTraces(client, LIVE_TABLES)
  if (storage === undefined) return new Set()
  const points = await markTracesInArchives(context, storage)
  // Spans of archives have told more answers.
  await markOfTraces(client, { evaluations: 'evaluations' })
  return points
}
