import { formatBytes, formatCount, textTable } from '../text-table.ts'
import type { DatabaseState, MigrationState } from './database-state.ts'
import { describeService, type ServiceState } from './service-state.ts'
import type { StreamState } from './stream-states.ts'

/** Everything that `observatory status` tells. */
export interface StatusReport extends DatabaseState {
  /** Where the servers are, without user and password. */
  readonly servers: { readonly postgres: string; readonly redis: string }
  readonly service: ServiceState
  readonly streams: readonly StreamState[]
}

/** The report for people: aligned tables, one after the other. */
export function formatStatus(report: StatusReport): string {
  const { servers, migrations, service } = report
  const head = `${servers.postgres}, ${formatMigrations(migrations)}\n${servers.redis}\n${describeService(service)}\n`
  const parts = [
    head,
    formatStreams(report),
    formatTables(report),
    formatDeadLetters(report),
    formatLedger(report),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

/** What the schema is, in words. */
export function formatMigrations(migrations: MigrationState): string {
  if ('problem' in migrations) return migrations.problem
  const { version, pending } = migrations
  if (pending.length === 0) return `schema version ${version}`
  return `schema version ${version}, ${pending.length} migrations pending: observatory migrate`
}

function formatStreams({ streams }: StatusReport): string {
  return textTable(
    [
      { heading: 'STREAM' },
      { heading: 'ENTRIES', align: 'right' },
      { heading: 'LAG', align: 'right' },
      { heading: 'PENDING', align: 'right' },
      { heading: 'CONSUMERS', align: 'right' },
    ],
    streams.map(({ stream, length, lag, pending, consumers }) => [
      stream,
      formatCount(length),
      pending === null ? 'no group' : lag === null ? 'unknown' : formatCount(lag),
      pending === null ? '-' : formatCount(pending),
      consumers === null ? '-' : formatCount(consumers),
    ]),
  )
}

function formatTables({ tables }: StatusReport): string {
  if (tables.length === 0) return 'No tables yet: observatory migrate\n'
  return textTable(
    [
      { heading: 'TABLE' },
      { heading: 'ROWS', align: 'right' },
      { heading: 'SIZE', align: 'right' },
      { heading: 'PARTITIONS', align: 'right' },
      { heading: 'NEWEST' },
    ],
    tables.map(({ table, rows, isEstimate, bytes, partitions, newest }) => [
      table,
      `${isEstimate ? '~' : ''}${formatCount(rows)}`,
      formatBytes(bytes),
      partitions === 0 ? '-' : formatCount(partitions),
      newest ?? (rows === 0 ? '-' : 'unknown'),
    ]),
  )
}

function formatDeadLetters({ tables, deadLetters }: StatusReport): string {
  if (tables.length === 0) return ''
  if (deadLetters.length === 0) return 'No dead letters in the last 24 hours\n'
  return textTable(
    [{ heading: 'DEAD LETTERS, 24 H' }, { heading: 'REASON' }, { heading: 'COUNT', align: 'right' }],
    deadLetters.map(({ signal, reason, count }) => [signal, reason, formatCount(count)]),
  )
}

function formatLedger({ ledger }: StatusReport): string {
  if (ledger === null) return ''
  const since = ledger.oldest === null ? '' : `, since ${ledger.oldest}`
  return `Ledger: ${formatCount(ledger.ranges)} ranges, ${formatBytes(ledger.bytes)}${since}\n`
}
