import { Command, Option } from 'commander'
import type { Redis } from 'ioredis'
import { idOf, keyOf } from '../audit/entry-key.ts'
import { loadSettings } from '../config.ts'
import { ObservatoryError } from '../errors.ts'
import { type EntryId, formatEntryId, isBefore, streamKey } from '../models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import type { Settings } from '../settings.ts'
import { type EntryPosition, parseEntryPosition } from './entry-position.ts'
import { openRedis } from './open-servers.ts'
import { EXIT_FAILED } from './report-error.ts'
import { type EntryEstimate, estimateEntries } from './rewind/estimate-entries.ts'
import { type RewindState, rewindGroup } from './rewind/rewind-group.ts'
import { runCommand } from './run-command.ts'
import { findServers } from './servers.ts'
import { addSettings } from './setting-flags.ts'
import { formatCount, textTable } from './text-table.ts'

const EXAMPLES = `
For after PostgreSQL was restored to an earlier time: entries that Redis still has are
delivered again, and those that the restored database lists as ingested are left out. So
rewinding too far costs time and doubles nothing. The consumer group is never moved
forward. A running service notices by itself.

The exit code is 1 when entries from the given place on were removed from a stream: they
cannot come again.

Examples:
  observatory rewind --to 2026-11-23T10:00:00Z --dry-run
  observatory rewind --to -2h
  observatory rewind --to 1700000000000-0 --signal logs`

interface RewindFlags {
  readonly to: EntryPosition
  readonly signal?: TelemetrySignal
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** What became of one stream. */
interface StreamRewind {
  readonly stream: string
  /** Null without the stream or the group. */
  readonly from: string | null
  readonly to: string
  readonly goesBack: boolean
  readonly entries: number
  readonly isExact: boolean
  /** Whether entries from the place on may have been removed from the stream. */
  readonly isTrimmed: boolean
}

/** `observatory rewind`: has the entries from a place on delivered again. */
export function rewindCommand(): Command {
  const command = new Command('rewind')
    .description('Deliver entries again that Redis still has, after PostgreSQL was restored.')
    .requiredOption('--to <id|time>', 'the first entry to deliver again', parseEntryPosition)
    .addOption(new Option('--signal <word>', 'only this one').choices(TELEMETRY_SIGNALS))
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'as JSON: a list of {stream, from, to, goesBack, entries, isExact, isTrimmed}')
  return addSettings(command, [
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'consumerGroup',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(runRewind)
}

async function runRewind({ to, signal, dryRun = false, json, ...flags }: RewindFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  const { settings } = loaded
  await runCommand(settings, async (context) => {
    const log = (line: string): void => void process.stderr.write(`${line}\n`)
    const urls = await findServers(loaded, { releasers: context.releasers, log })
    const { redis } = await openRedis({ ...context, name: 'rewind', settings, urls })
    const streams = (signal === undefined ? TELEMETRY_SIGNALS : [signal]).map((each) =>
      streamKey(settings.streamPrefix, each),
    )
    const rewinds = await rewind(redis, settings, { streams, to, dryRun })
    process.stdout.write(json ? `${JSON.stringify(rewinds, null, 2)}\n` : formatRewinds(rewinds, dryRun))
    for (const { stream } of rewinds.filter(({ isTrimmed }) => isTrimmed))
      log(
        `warning: entries of ${stream} from ${formatEntryId(to.id)} on were removed from it and cannot come again`,
      )
    if (rewinds.some(({ isTrimmed }) => isTrimmed)) process.exitCode = EXIT_FAILED
  })
}

interface RewindOptions {
  readonly streams: readonly string[]
  readonly to: EntryPosition
  readonly dryRun: boolean
}

/** Looks at all streams before it moves anything. @throws ObservatoryError ERR_USAGE when the place lies beyond the end of all. */
async function rewind(
  redis: Redis,
  { consumerGroup: group }: Settings,
  { streams, to, dryRun }: RewindOptions,
): Promise<readonly StreamRewind[]> {
  const { id } = to
  const after = idOf(keyOf(id) === 0n ? 0n : keyOf(id) - 1n)
  const look = (stream: string, dry: boolean) => rewindGroup(redis, { stream, group }, { after, dryRun: dry })
  const states = await Promise.all(streams.map((stream) => look(stream, true)))
  // A stream that never had an entry has no end; a time at which nothing had come yet is one with nothing after it.
  const ends = states.flatMap((state) => (state === undefined || state.last.ms === 0n ? [] : [state.last]))
  const isBeyond = to.isTime ? id.ms > BigInt(Date.now()) : ends.every((last) => isBefore(last, id))
  if (isBeyond && ends.length > 0) throw beyondTheEnd(streams, ends, id)
  const rewinds: StreamRewind[] = []
  for (const stream of streams) rewinds.push(describe(stream, await look(stream, dryRun), id))
  return rewinds
}

function beyondTheEnd(streams: readonly string[], ends: readonly EntryId[], id: EntryId): ObservatoryError {
  const newest = ends.reduce((a, b) => (isBefore(a, b) ? b : a))
  return new ObservatoryError(
    'ERR_USAGE',
    `--to ${formatEntryId(id)} lies beyond the end of ${streams.join(', ')}: the newest entry is ${formatEntryId(newest)}; expected one up to that`,
  )
}

function describe(stream: string, state: RewindState | undefined, id: EntryId): StreamRewind {
  const to = formatEntryId(id)
  if (state === undefined)
    return { stream, from: null, to, goesBack: false, entries: 0, isExact: true, isTrimmed: false }
  const { first, last, removed, goesBack } = state
  // What was removed is older than what is left, unless somebody used XDEL.
  const isTrimmed = removed > 0 && !isBefore(last, id) && (first === undefined || isBefore(id, first))
  const estimate: EntryEstimate = estimateEntries(state, id)
  return { stream, from: formatEntryId(state.lastDelivered), to, goesBack, ...estimate, isTrimmed }
}

function formatRewinds(rewinds: readonly StreamRewind[], dryRun: boolean): string {
  const table = textTable(
    [
      { heading: 'STREAM' },
      { heading: 'GROUP WAS AT' },
      { heading: 'GOES BACK TO' },
      { heading: 'ENTRIES FROM THERE', align: 'right' },
    ],
    rewinds.map(({ stream, from, to, goesBack, entries, isExact }) => [
      stream,
      from ?? 'no group',
      goesBack ? to : '-',
      `${isExact ? '' : '~'}${formatCount(entries)}`,
    ]),
  )
  if (!rewinds.some(({ goesBack }) => goesBack))
    return `${table}\nNothing to do: no group is past that place\n`
  const what = dryRun ? 'Nothing was changed; without --dry-run they' : 'They'
  return `${table}\n${what} are delivered again, and what the ledger lists is left out\n`
}
