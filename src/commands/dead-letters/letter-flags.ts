import { type Command, InvalidArgumentError, Option } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { REJECTION_REASONS, type RejectionReason } from '../../models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { LetterFilter } from '../../repositories/letter-filter.ts'
import { parseTimeFlag } from '../time-flag.ts'

/** The options of {@link addLetterFilter}, as commander gives them. */
export interface FilterFlags {
  readonly reason?: RejectionReason
  readonly signal?: TelemetrySignal
  readonly from?: bigint
  readonly to?: bigint
}

/** Adds the words that choose dead letters. */
export function addLetterFilter(command: Command): Command {
  return command
    .addOption(new Option('--reason <reason>', 'why it was refused').choices(REJECTION_REASONS))
    .addOption(new Option('--signal <signal>', 'what it is').choices(TELEMETRY_SIGNALS))
    .addOption(
      new Option('--from <time>', 'refused then or later: RFC 3339, unix, or -15m').argParser(parseTimeFlag),
    )
    .addOption(new Option('--to <time>', 'refused before').argParser(parseTimeFlag))
}

/**
 * The letters that the command line names: ids, or a filter.
 *
 * @param chosen when given, something must be chosen: an id, a filter, or `all`.
 * @throws ObservatoryError ERR_USAGE for both, or for nothing.
 */
export function readFilter(
  flags: FilterFlags,
  ids: readonly string[] = [],
  chosen?: { readonly all: boolean },
): LetterFilter {
  const { reason, signal: telemetrySignal, from, to } = flags
  const filter = {
    ...(reason !== undefined && { reason }),
    ...(telemetrySignal !== undefined && { telemetrySignal }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }
  const ways = [ids.length > 0, Object.keys(filter).length > 0, chosen?.all === true].filter(Boolean).length
  if (ways > 1) {
    throw new ObservatoryError('ERR_USAGE', 'ids, filters and --all exclude one another; give one of them')
  }
  if (chosen !== undefined && ways === 0) {
    throw new ObservatoryError(
      'ERR_USAGE',
      'no letter is named; give ids, a filter such as --to -30d, or --all',
    )
  }
  return ids.length > 0 ? { ids } : filter
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** One id, or one more of several: commander gives those before it. */
export function parseLetterId(text: string): string
export function parseLetterId(text: string, previous: readonly string[] | undefined): readonly string[]
export function parseLetterId(text: string, ...rest: unknown[]): string | readonly string[] {
  if (!UUID.test(text)) throw new InvalidArgumentError('Expected an id as "dead-letters list" shows it.')
  const id = text.toLowerCase()
  const [previous] = rest as [readonly string[] | undefined]
  return rest.length === 0 ? id : [...(previous ?? []), id]
}
