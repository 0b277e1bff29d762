import type { Account } from './check-account.ts'
import type { Stored } from './check-stored.ts'
import type { ExportCounts } from './exporter.ts'
import type { AuditOutcome } from './finish.ts'
import type { Counts } from './statistics.ts'
import type { FaultTally } from './tally.ts'

export interface Report {
  readonly seed: number
  readonly tally: readonly FaultTally[]
  /** What the product did wrong while faults struck or when it was stopped. */
  readonly failures: readonly string[]
  readonly stored: Stored | undefined
  readonly account: Account | undefined
  readonly counts: Counts
  readonly fates: Readonly<Record<string, number>>
  readonly exports: ExportCounts
  readonly exportViolations: readonly string[]
  readonly redelivered: number
  readonly ackSample: { readonly sampled: number; readonly violations: readonly string[] }
  readonly peakRss: number
  readonly rssMax: number
  readonly audit: AuditOutcome
}

const EXAMPLES = 10

/** Everything that is wrong, a line each; none means that the campaign passed. */
export function problemsOf(report: Report): string[] {
  const { stored, account, ackSample, tally } = report
  const some = (what: string, items: readonly string[] = []) =>
    items.length === 0 ? [] : [`${items.length} ${what}: ${items.slice(0, EXAMPLES).join(', ')}`]
  return [
    ...report.failures,
    ...(stored === undefined || account === undefined ? ['the tables could not be checked'] : []),
    ...some('missing', [...(stored?.missing ?? []), ...(account?.missing ?? [])]),
    ...some('duplicated', stored?.duplicated),
    ...some('altered', stored?.altered),
    ...some('invented', stored?.invented),
    ...(account !== undefined && account.pending + account.unread > 0
      ? [`${account.pending} pending and ${account.unread} unread when all was quiet`]
      : []),
    ...(account !== undefined && report.counts.lost > account.lostByRedis
      ? [`${report.counts.lost} entries were reported lost, and ${account.lostByRedis} are`]
      : []),
    ...some('acknowledged but not committed', ackSample.violations),
    ...(ackSample.sampled === 0 ? ['no acknowledged entry was ever sampled'] : []),
    ...some('answers that no export request may get', report.exportViolations),
    ...(report.exports.taken === 0 ? ['no export request was ever taken'] : []),
    ...(report.peakRss > report.rssMax ? [`a worker held ${mib(report.peakRss)} MiB`] : []),
    ...tally.flatMap(problemsOfFault),
    ...(report.audit.outcome === 'failed' ? [`observatory audit failed: ${report.audit.output}`] : []),
  ]
}

/** A fault that never hit, or that caused nothing of what it is there to cause, has shown nothing. */
function problemsOfFault({ fault, struck, missed, effects }: FaultTally): string[] {
  if (struck === 0) return [`${fault.name} never hit its moment (${missed} missed)`]
  return fault.causes
    .filter((effect) => effects[effect] <= 0)
    .map((effect) => `${fault.name} struck ${struck} times and never caused ${effect}`)
}

export function formatReport(report: Report): string {
  const { account, stored, fates, counts } = report
  const rows = report.tally.map(({ fault, struck, missed, effects }) => [
    fault.name,
    struck,
    missed,
    effects.redelivered,
    effects.duplicates,
    effects.claimed,
    effects.retries,
    effects.redisErrors,
  ])
  const head = [
    'fault',
    'struck',
    'missed',
    'redelivered',
    'duplicates',
    'claimed',
    'retries',
    'redis errors',
  ]
  return [
    table([head, ...rows]),
    '',
    `seed ${report.seed}: entries ${JSON.stringify(fates)}, export requests ${JSON.stringify(report.exports)}`,
    `accepted ${account?.accepted} = stored ${account?.stored} + pending ${account?.pending} + unread ${account?.unread} + ` +
      `lost by Redis ${account?.lostByRedis} + missing ${account?.missing.length}`,
    `rows ${stored?.rows}, dead letters ${stored?.letters}; duplicated ${stored?.duplicated.length}, ` +
      `altered ${stored?.altered.length}, invented ${stored?.invented.length}`,
    `entries redelivered ${report.redelivered}, duplicates avoided ${counts.duplicates}, entries claimed ${counts.claimed}, ` +
      `reported lost ${counts.lost}`,
    `acknowledged entries sampled ${report.ackSample.sampled}, of which not committed ${report.ackSample.violations.length}`,
    `most memory of a worker: ${mib(report.peakRss)} MiB of ${mib(report.rssMax)} allowed`,
    `observatory audit: ${report.audit.outcome}`,
  ].join('\n')
}

function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => String(row[column]).length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width)
        })
        .join('  '),
    )
    .join('\n')
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
