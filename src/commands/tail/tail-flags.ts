import { type Command, InvalidArgumentError, Option } from 'commander'
import type { FilterColumns } from '../../repositories/filter.ts'
import { MAX_HISTORY } from '../../tail/signal-tail.ts'
import { parseLimitFlag } from '../limit-flag.ts'
import type { ColorWhen } from '../query/paint.ts'
import { addFilterFlags, type QueryFlags } from '../query/query-flags.ts'
import { SERVICE_SETTINGS } from '../service-url.ts'
import { addSettings } from '../setting-flags.ts'

export const TAIL_OUTPUTS = ['pretty', 'json', 'logfmt', 'template'] as const
export type TailOutput = (typeof TAIL_OUTPUTS)[number]

/** The flags of a tail, as commander gives them: the words of its filter, and its own. */
export interface TailFlags extends Omit<QueryFlags, 'order' | 'format' | 'json' | 'from' | 'to'> {
  readonly lines?: number
  readonly since?: string
  readonly follow?: boolean
  readonly sample?: string
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly highlight?: readonly string[]
  readonly output?: TailOutput
  readonly template?: string
  readonly utc?: boolean
  readonly fullIds?: boolean
  readonly color: ColorWhen
  readonly quiet?: boolean
  readonly reconnect: boolean
  readonly url?: string
  readonly redis?: boolean
}

const AMOUNT = 'How many:'
const SHOWN = 'How they are shown:'
const SOURCE = 'From where:'

/** Adds what chooses records where the columns are these, and what says how many come, how they are shown, and from where. */
export function addTailFlags(command: Command, columns: FilterColumns): Command {
  addFilterFlags(command, columns, ['from', 'to'])
  addAll(command, AMOUNT, [
    new Option(
      '-n, --lines <number>',
      `The last so many that match come first, 0 to ${MAX_HISTORY}. (default: 10)`,
    ).argParser(parseLines),
    new Option('--since <time>', 'Those not before then come first: RFC 3339, unix time, or -15m.'),
    new Option('-f, --follow', 'Go on with those that come (default).'),
    new Option('--no-follow', 'End when the past ones are shown.'),
    new Option('--limit <number>', 'End after so many.').argParser(parseLimitFlag),
    new Option('--sample <share>', 'This share of them, above 0 to 1; traces whole or not at all.'),
    new Option('-i, --include <regex>', 'Only lines with this in them, highlighted (repeatable).').argParser(
      collect,
    ),
    new Option('-e, --exclude <regex>', 'No lines with this in them (repeatable).').argParser(collect),
  ])
  addAll(command, SHOWN, [
    new Option('-H, --highlight <regex>', 'Highlight this (repeatable).').argParser(collect),
    new Option('-o, --output <form>', 'Default: pretty on a terminal, json into a pipe.').choices(
      TAIL_OUTPUTS,
    ),
    new Option('--template <text>', "Such as '{{time}} {{service}} {{body}} {{attributes.user.id}}'."),
    new Option('--utc', 'Times of day in UTC, not of this time zone.'),
    new Option('--full-ids', 'Trace ids whole.'),
    new Option('--color <when>', 'Colors; auto is on a terminal, without NO_COLOR.')
      .choices(['auto', 'always', 'never'])
      .default('auto', 'auto'),
    new Option('-q, --quiet', 'Say nothing of connections, gaps and records left out.'),
  ])
  addAll(command, SOURCE, [
    new Option('--url <url>', 'A running service (default: that of HTTP_HOST and HTTP_PORT).'),
    new Option('--redis', 'Redis itself (REDIS_URL, STREAM_PREFIX), without a service.').conflicts('url'),
    new Option('--no-reconnect', 'End when the connection is lost, with exit code 1.'),
  ])
  return addSettings(command, [
    ...SERVICE_SETTINGS,
    'redisUrl',
    'streamPrefix',
    'dataDir',
    'startupTimeoutMs',
    'shutdownTimeoutMs',
    'logLevel',
  ])
}

function addAll(command: Command, heading: string, options: readonly Option[]): void {
  for (const option of options) command.addOption(option.helpGroup(heading))
}

function parseLines(text: string): number {
  const lines = Number(text)
  if (!/^\d+$/.test(text) || lines > MAX_HISTORY)
    throw new InvalidArgumentError(`Expected a whole number, 0 to ${MAX_HISTORY}.`)
  return lines
}

function collect(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text]
}
