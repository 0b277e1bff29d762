import type { Line } from '../../tail/line.ts'
import { terminalLine } from '../../terminal-text.ts'
import { formatBytes, formatCount } from '../../text-table.ts'
import { formatMigrations } from '../format-status.ts'
import type { DatabaseLook } from './database-looks.ts'
import type { Looked } from './repeated-look.ts'
import type { ConsumerLook, StreamLook } from './stream-looks.ts'
import { type Cell, viewTable } from './view-table.ts'

/** All that the view shows. */
export interface LiveState {
  readonly servers: { readonly postgres: string; readonly redis: string }
  readonly streams: Looked<readonly StreamLook[]>
  readonly database: Looked<DatabaseLook>
  /** Lines. */
  readonly service: string
  readonly nowMs: number
}

const EMPTY: Line = [{ text: '' }]
/** A group may have had any number of consumers. */
const MAX_CONSUMERS = 12

/** The lines of the view: what changes first, what is long last. */
export function liveView(state: LiveState): readonly Line[] {
  const { servers, streams, database, service, nowMs } = state
  const migrations = database.value && formatMigrations(database.value.migrations)
  const lines: Line[] = [
    ...serverLines(servers.postgres, database, { told: migrations, nowMs }),
    ...serverLines(servers.redis, streams, { nowMs }),
    ...service.split('\n').map(plain),
  ]
  const add = (part: readonly Line[]) => part.length > 0 && lines.push(EMPTY, ...part)
  if (streams.value !== undefined) add(streamLines(streams.value, database))
  if (database.value !== undefined) add(letterLines(database.value))
  if (streams.value !== undefined) add(consumerLines(streams.value))
  if (database.value !== undefined) add(tableLines(database.value))
  return lines
}

function serverLines<T>(
  name: string,
  { value, problem, atMs }: Looked<T>,
  { told, nowMs }: { readonly told?: string | undefined; readonly nowMs: number },
): Line[] {
  if (problem === undefined)
    return [plain(value === undefined ? `${name}: looking` : [name, told].filter(Boolean).join(', '))]
  const lost = value === undefined ? 'LOST' : `LOST ${ageText(nowMs - atMs)} ago`
  return [plain(name), [{ text: terminalLine(`  ${lost}, trying again: ${problem}`), style: 'bad' }]]
}

function streamLines(streams: readonly StreamLook[], { value, problem }: Looked<DatabaseLook>): Line[] {
  return viewTable(
    [
      { heading: 'STREAM' },
      ...['ENTRIES', 'LAG', 'PENDING', 'OLDEST', 'READ/S', 'ROWS/S'].map(
        (heading) => ({ heading, align: 'right' }) as const,
      ),
    ],
    streams.map(({ signal, stream, length, lag, pending, oldestPendingMs, readPerSecond }) => [
      stream,
      formatCount(length),
      pending === null ? 'no group' : lag === null ? 'unknown' : warnAbove(lag, 0),
      pending === null ? '-' : formatCount(pending),
      oldestPendingMs === null ? '-' : ageText(oldestPendingMs),
      rateText(readPerSecond),
      problem === undefined ? rateText(value?.writtenPerSecond[signal]) : '-',
    ]),
  )
}

function letterLines({ letters, tables }: DatabaseLook): Line[] {
  if (!tables.some(({ table }) => table === 'dead_letters')) return []
  if (letters.length === 0) return [plain('No dead letters')]
  return viewTable(
    [
      { heading: 'DEAD LETTERS' },
      { heading: 'REASON' },
      { heading: 'KEPT', align: 'right' },
      { heading: 'SINCE THE START OF THIS', align: 'right' },
    ],
    letters.map(({ signal, reason, kept, since }) => [
      signal,
      reason,
      formatCount(kept),
      warnAbove(since, 0),
    ]),
  )
}

function consumerLines(streams: readonly StreamLook[]): Line[] {
  const consumers = streams.flatMap(({ signal, consumersOf }) =>
    consumersOf.map((consumer) => ({ signal, ...consumer })),
  )
  if (consumers.length === 0) return [plain('Nobody has read the streams yet')]
  const busiest = (a: ConsumerLook, b: ConsumerLook) => a.idleMs - b.idleMs
  const shown = [...consumers].sort(busiest).slice(0, MAX_CONSUMERS)
  const rows = shown.map(({ name, signal, pending, idleMs }) => [
    name,
    signal,
    formatCount(pending),
    ageText(idleMs),
  ])
  const lines = viewTable(
    [
      { heading: 'CONSUMER' },
      { heading: 'READS' },
      { heading: 'PENDING', align: 'right' },
      { heading: 'IDLE', align: 'right' },
    ],
    rows,
  )
  const rest = consumers.length - shown.length
  return rest === 0 ? lines : [...lines, plain(`and ${formatCount(rest)} more that are idle for longer`)]
}

function tableLines({ tables, partitions }: DatabaseLook): Line[] {
  if (tables.length === 0) return [plain('No tables yet: observatory migrate')]
  return viewTable(
    [
      { heading: 'TABLE' },
      ...['ROWS', 'SIZE', 'PARTITIONS', 'AHEAD'].map((heading) => ({ heading, align: 'right' }) as const),
      { heading: 'NEWEST FROM' },
      { heading: 'INDEXES MISSING', align: 'right' },
    ],
    tables.map(({ table, rows, isEstimate, bytes }) => {
      const of = partitions.get(table)
      const sizes = [table, `${isEstimate ? '~' : ''}${formatCount(rows)}`, formatBytes(bytes)]
      if (of === undefined) return [...sizes, '-', '-', '-', '-']
      return [
        ...sizes,
        formatCount(of.count),
        of.ahead === 0 ? { text: '0', style: 'warn' } : formatCount(of.ahead),
        of.newestFromMs === undefined ? '-' : dateText(of.newestFromMs),
        of.missingIndexes === undefined ? '-' : warnAbove(of.missingIndexes, 0),
      ]
    }),
  )
}

function plain(text: string): Line {
  return [{ text: terminalLine(text) }]
}

function warnAbove(count: number, most: number): Cell {
  return count > most ? { text: formatCount(count), style: 'warn' } : formatCount(count)
}

function rateText(perSecond: number | undefined): string {
  if (perSecond === undefined) return '-'
  return formatCount(perSecond < 10 ? Number(perSecond.toFixed(1)) : Math.round(perSecond))
}

/** `850 ms`, `12 s`, `5 min`, `3 h`, `2 d` */
export function ageText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** In UTC, to the hour: `2026-11-26 15h`. A bound that is beyond what a date can be is written as it is. */
function dateText(ms: number): string {
  return Number.isNaN(new Date(ms).valueOf())
    ? String(ms)
    : new Date(ms).toISOString().slice(0, 13).replace('T', ' ').concat('h')
}
