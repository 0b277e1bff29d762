import { type Command, InvalidArgumentError, Option } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { listArchiveIds, rangeOfId } from '../../retention/archive/archive-manifest.ts'
import type { ArchiveStorage } from '../../retention/archive/archive-storage.ts'
import {
  ARCHIVE_SETTINGS,
  type ArchiveSettings,
  openArchiveStorage,
} from '../../retention/archive/open-archive-storage.ts'
import { overlaps } from '../../retention/partition-range.ts'
import { PARTITIONED_TABLES, type PartitionedTable } from '../../retention/partitions.ts'
import type { Settings } from '../../settings.ts'
import { addSettings } from '../setting-flags.ts'
import { parseTimeFlag } from '../time-flag.ts'

/** Which archives. */
export interface ArchiveFlags {
  readonly table?: readonly PartitionedTable[]
  /** Unix milliseconds. */
  readonly from?: number
  readonly to?: number
  readonly json?: boolean
}

const SERVER_SETTINGS = [
  'databaseUrl',
  'dataDir',
  'embeddedPostgresBin',
  'startupTimeoutMs',
] as const satisfies readonly (keyof Settings)[]

/** Adds `--table`. */
export function addTableFlag(command: Command): Command {
  return command.addOption(
    new Option(
      '--table <name>',
      `One of ${PARTITIONED_TABLES.join(', ')} (repeatable; default: all).`,
    ).argParser(collectTable),
  )
}

/** Adds what says which archives. */
export function addArchiveFilter(command: Command): Command {
  return addTableFlag(command)
    .option('--from <time>', 'Those with times from then on: 2026-11-23, RFC 3339, or -30d.', parseMs)
    .option('--to <time>', 'Those with times before.', parseMs)
}

/** Adds the settings of where archives are, and of the database where it `needs` one. */
export function addArchiveSettings(
  command: Command,
  needs: readonly (keyof Settings)[] = SERVER_SETTINGS,
): Command {
  return addSettings(command, [...ARCHIVE_SETTINGS, ...needs, 'shutdownTimeoutMs', 'logLevel'])
}

/** Of a command that needs the database, and these beside. */
export function withServers(...more: readonly (keyof Settings)[]): readonly (keyof Settings)[] {
  return [...SERVER_SETTINGS, ...more]
}

/** @throws ObservatoryError ERR_USAGE where none is set. */
export function storageOf(settings: ArchiveSettings): ArchiveStorage {
  const storage = openArchiveStorage(settings)
  if (storage !== undefined) return storage
  throw new ObservatoryError(
    'ERR_USAGE',
    'No archives are kept: set ARCHIVE_URL, or give --archive-url, to a folder or to s3://bucket/prefix',
  )
}

/** The archives that the flags choose, the oldest first. */
export async function chosenIds(
  storage: ArchiveStorage,
  {
    table = PARTITIONED_TABLES,
    from = Number.NEGATIVE_INFINITY,
    to = Number.POSITIVE_INFINITY,
  }: ArchiveFlags,
): Promise<readonly string[]> {
  const ids: string[] = []
  for (const each of table) ids.push(...(await listArchiveIds(storage, each)))
  return ids.filter((id) => overlaps(rangeOfId(id), { fromMs: from, toMs: to }))
}

/** @returns unix milliseconds. */
export function parseMs(text: string): number {
  return Number(parseTimeFlag(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text) / 1_000_000n)
}

function collectTable(text: string, previous: readonly PartitionedTable[] = []): readonly PartitionedTable[] {
  const table = PARTITIONED_TABLES.find((name) => name === text)
  if (table === undefined) throw new InvalidArgumentError(`Expected one of ${PARTITIONED_TABLES.join(', ')}.`)
  return [...previous, table]
}
