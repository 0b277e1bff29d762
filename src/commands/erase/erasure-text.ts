import type { ErasureReport } from '../../retention/erasure/run-erasure.ts'
import { formatCount, textTable } from '../text-table.ts'

/** What an erasure did, for a person. */
export function erasureText(report: ErasureReport, dryRun: boolean): string {
  const { tables, points, archives, letters, entries, series, resources, all, unvacuumed } = report
  const lines = textTable(
    [{ heading: 'WHERE' }, { heading: dryRun ? 'WOULD GO' : 'ERASED', align: 'right' }],
    [
      ...tables.map(({ table, rows }) => [table, formatCount(rows)]),
      ['exemplars of other data points', formatCount(points)],
      ['metric_series', formatCount(series)],
      ['resources', formatCount(resources)],
      [
        `${formatCount(archives.length)} archives`,
        formatCount(archives.reduce((sum, { rows }) => sum + rows, 0)),
      ],
      ['dead letters', formatCount(letters)],
      ['entries of streams', formatCount(entries.erased)],
    ],
  )
  const notes: string[] = []
  if (entries.left > 0)
    notes.push(
      `${formatCount(entries.left)} entries that hold something are not ingested yet, or needed by another group: run it again when they are`,
    )
  for (const name of unvacuumed) notes.push(`${name} is to be vacuumed: others were at it`)
  if (dryRun) notes.push('Nothing was changed')
  else if (all !== undefined)
    notes.push(
      `Erased, with what earlier runs of it did: ${formatCount(all.rows)} rows, ${formatCount(all.archivedRows)} of archives, ${formatCount(all.letters)} dead letters, ${formatCount(all.entries)} entries. Files of producers, backups and the WAL are out of reach`,
    )
  return `${lines}${notes.map((note) => `${note}\n`).join('')}`
}

/** The same for scripts. */
export function erasureJson(report: ErasureReport, dryRun: boolean): string {
  const { tables, all, unfinished, ...rest } = report
  const rows = Object.fromEntries(tables.map((each) => [each.table, each.rows]))
  const finished = all !== undefined
  return `${JSON.stringify({ dryRun, finished, at: new Date().toISOString(), rows, ...rest, all: all ?? null, unfinished }, null, 2)}\n`
}
