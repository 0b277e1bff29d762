import type { SignalAudit } from '../../audit/audit.ts'
import { formatCount, textTable } from '../text-table.ts'

/** The counts of an audit for people: what became of the entries in the streams, what is in the tables, and the verdict. */
export function formatAudits(audits: readonly SignalAudit[]): string {
  const failures = audits.reduce((sum, each) => sum + each.failures, 0)
  const verdict =
    failures === 0
      ? 'Everything that can be checked is there exactly once'
      : `${formatCount(failures)} failures`
  const notes = audits.flatMap(notesOf).map((note) => `${note}\n`)
  return [formatStreams(audits), formatTables(audits), `${notes.join('')}${verdict}\n`].join('\n')
}

function formatStreams(audits: readonly SignalAudit[]): string {
  return textTable(
    [
      { heading: 'STREAM' },
      { heading: 'ENTRIES', align: 'right' },
      { heading: 'COMMITTED', align: 'right' },
      { heading: 'PENDING', align: 'right' },
      { heading: 'UNREAD', align: 'right' },
      { heading: 'MISSING', align: 'right' },
    ],
    audits.map(({ stream, inStream: { entries, committed, pending, unread, missing } }) => [
      stream,
      ...[entries, committed, pending, unread, missing].map(formatCount),
    ]),
  )
}

function formatTables(audits: readonly SignalAudit[]): string {
  return textTable(
    [
      { heading: 'SIGNAL' },
      { heading: 'BATCHES', align: 'right' },
      { heading: 'ENTRIES', align: 'right' },
      { heading: 'ROWS', align: 'right' },
      { heading: 'LETTERS', align: 'right' },
      { heading: 'FAILURES', align: 'right' },
    ],
    audits.map(({ signal, inTables: { batches, listed, rows, letters }, failures }) => [
      signal,
      ...[batches, listed, rows, letters, failures].map(formatCount),
    ]),
  )
}

function notesOf({ signal, inTables }: SignalAudit): string[] {
  const { beforeLedger, withoutPartition, notCompared } = inTables
  const notes: string[] = []
  if (beforeLedger > 0)
    notes.push(
      `${signal}: ${formatCount(beforeLedger)} rows and letters not checkable: older than the oldest ledger row that is left`,
    )
  if (withoutPartition > 0)
    notes.push(
      `${signal}: ${formatCount(withoutPartition)} records not checkable: the ledger counts them, partitions of their time are gone`,
    )
  if (notCompared > 0)
    notes.push(
      `${signal}: ${formatCount(notCompared)} batches not checkable: of a stream without a signal in its name, or with ids that others have, too, which are not in the range or pruned`,
    )
  return notes
}
