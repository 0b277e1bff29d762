import type { Removal } from '../../retention/removal-hooks.ts'
import { formatBytes, formatCount, textTable } from '../text-table.ts'

export interface ShownRemoval extends Omit<Removal, 'removalId'> {
  readonly rows: number
  readonly isEstimate?: boolean
  readonly bytes: number
}

/** A line for each removal, a partition without the schema it lies in when that is the usual one. */
export function removalTable(removals: readonly ShownRemoval[]): string {
  return textTable(
    [
      { heading: 'PARTITION' },
      { heading: 'WHAT' },
      { heading: 'ROWS', align: 'right' },
      { heading: 'SIZE', align: 'right' },
    ],
    removals.map(({ partition, kind, rules, rows, isEstimate, bytes }) => [
      shortName(partition),
      kind === 'partition' ? 'all of it' : (rules ?? ''),
      `${isEstimate ? '~' : ''}${formatCount(rows)}`,
      formatBytes(bytes),
    ]),
  )
}

export function shortName(partition: string): string {
  return partition.replace(/^public\./, '')
}

/** Totals: what goes with its partition comes back to the disk, the rest when its partition goes. */
export interface RemovalTotals {
  readonly partitions: number
  readonly rows: number
  readonly bytes: number
  readonly bytesLater: number
}

export function totalsOf(removals: readonly ShownRemoval[]): RemovalTotals {
  const sum = (kind: ShownRemoval['kind'], of: 'rows' | 'bytes') =>
    removals.filter((removal) => removal.kind === kind).reduce((total, removal) => total + removal[of], 0)
  return {
    partitions: removals.filter(({ kind }) => kind === 'partition').length,
    rows: sum('partition', 'rows') + sum('rows', 'rows'),
    bytes: sum('partition', 'bytes'),
    bytesLater: sum('rows', 'bytes'),
  }
}

/** `3 partitions, 12,345 rows: 1.2 GiB of disk, and 5 MiB more when their partitions go` */
export function totalsText({ partitions, rows, bytes, bytesLater }: RemovalTotals): string {
  const later = bytesLater > 0 ? `, and ${formatBytes(bytesLater)} more when their partitions go` : ''
  const noun = partitions === 1 ? 'partition' : 'partitions'
  return `${partitions} ${noun}, ${formatCount(rows)} rows: ${formatBytes(bytes)} of disk${later}`
}
