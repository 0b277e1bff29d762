import { type Command, InvalidArgumentError, Option } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { type FilterColumns, refuseContent } from '../../repositories/filter.ts'
import {
  FILTER_WORDS,
  type FilterWord,
  type FilterWordSchema,
  filterWordsOf,
} from '../../repositories/filter-words.ts'
import { type Conditions, readFilter, type WrittenFilter } from '../../repositories/read-filter.ts'
import { parseLimitFlag } from '../limit-flag.ts'
import { addSettings } from '../setting-flags.ts'
import { flagName, readingFlags } from './flag-name.ts'

/** The flags of a query, as commander gives them: words of a filter are called as HTTP calls them. */
export interface QueryFlags extends Readonly<Partial<Record<FilterWord, string>>> {
  readonly attr?: readonly string[]
  readonly limit?: number
  readonly order?: 'asc' | 'desc'
  readonly format?: QueryFormat
  readonly json?: boolean
}

/** Every form that is written: records as Parquet too. */
const LISTED_FORMATS = ['table', 'ndjson', 'csv'] as const
export const QUERY_FORMATS = [...LISTED_FORMATS, 'parquet'] as const
export type QueryFormat = (typeof QUERY_FORMATS)[number]

const FILTERS = 'Which:'
const OUTPUT = 'How many, and how:'

/** What stands for the value in help. */
const PLACEHOLDERS: Readonly<Partial<Record<FilterWord, string>>> = {
  from: 'time',
  to: 'time',
  traceId: 'id',
  spanId: 'id',
  minDuration: 'duration',
  maxDuration: 'duration',
}

/** Adds the words of a filter that mean something where the columns are these. */
export function addFilterFlags(
  command: Command,
  columns: FilterColumns,
  without: readonly FilterWord[] = [],
): Command {
  for (const word of filterWordsOf(columns)) {
    if (without.includes(word)) continue
    const { description, enum: choices }: FilterWordSchema = FILTER_WORDS[word]
    const flags = `${flagName(word)} <${PLACEHOLDERS[word] ?? 'text'}>`
    const told = choices === undefined ? description : `${description} One of ${choices.join(', ')}.`
    command.addOption(new Option(flags, told).argParser(once).helpGroup(FILTERS))
  }
  if (columns.attributes === undefined) return command
  const attribute = 'Attribute, a number or true too (repeatable).'
  return command.addOption(
    new Option('--attr <key=value>', attribute).argParser(collectAttribute).helpGroup(FILTERS),
  )
}

/** Adds what says how many come, in which form, and from where. */
export function addOutputFlags(
  command: Command,
  { noun, areRecords = false }: { readonly noun: string; readonly areRecords?: boolean },
): Command {
  const limit = `At most so many ${noun} (default: 100 on a terminal, else all).`
  command.addOption(new Option('--limit <number>', limit).argParser(parseLimitFlag).helpGroup(OUTPUT))
  if (areRecords) {
    const order =
      'By time, the newest first in a table and with --limit. All of them go fastest without an order.'
    command.addOption(new Option('--order <order>', order).choices(['asc', 'desc']).helpGroup(OUTPUT))
  }
  command
    .addOption(
      new Option('--format <form>', 'A table on a terminal, ndjson into a pipe or a file.')
        .choices(areRecords ? QUERY_FORMATS : LISTED_FORMATS)
        .helpGroup(OUTPUT),
    )
    .addOption(new Option('--json', 'The same as --format ndjson.').conflicts('format').helpGroup(OUTPUT))
  return addSettings(command, [
    'databaseUrl',
    'dataDir',
    'embeddedPostgresBin',
    'startupTimeoutMs',
    'shutdownTimeoutMs',
    'logLevel',
  ])
}

/** The conditions that the flags tell. @throws ObservatoryError ERR_USAGE, naming the flag, for what cannot be meant. */
export function readConditions(flags: QueryFlags, columns: FilterColumns): Conditions {
  const words = filterWordsOf(columns).flatMap((word) =>
    flags[word] === undefined ? [] : [[word, flags[word]]],
  )
  const attributes = (flags.attr ?? []).map((text) => {
    const equals = text.indexOf('=')
    return [`attr.${text.slice(0, equals)}`, text.slice(equals + 1)]
  })
  const written = Object.fromEntries([...words, ...attributes]) as WrittenFilter
  return readingFlags(() => {
    const conditions = readFilter(written, Date.now())
    refuseContent(conditions, columns)
    return conditions
  })
}

/** In which form to write: as asked for, else as suits what takes it. @throws ObservatoryError ERR_USAGE for bytes on a terminal. */
export function formatOf(
  { format, json }: Pick<QueryFlags, 'format' | 'json'>,
  { isTTY }: { readonly isTTY?: boolean | undefined },
): QueryFormat {
  if (json === true) return 'ndjson'
  if (format === 'parquet' && isTTY)
    throw new ObservatoryError('ERR_USAGE', '--format parquet: not for a terminal; add "> FILE.parquet"')
  return format ?? (isTTY ? 'table' : 'ndjson')
}

/** @throws ObservatoryError ERR_USAGE that names those of the flags that are given, for there they mean nothing. */
export function refuseFlags(
  flags: QueryFlags,
  words: readonly (FilterWord | 'attr' | 'limit' | 'order')[],
  why: string,
): void {
  const given = words.filter((word) => flags[word] !== undefined)
  if (given.length === 0) return
  throw new ObservatoryError('ERR_USAGE', `${given.map(flagName).join(', ')}: ${why}`)
}

function once(text: string, previous: string | undefined): string {
  if (previous !== undefined) throw new InvalidArgumentError('It is given twice.')
  return text
}

/** HTTP calls it `attr.key`, and so may the command line. */
function collectAttribute(text: string, previous: readonly string[] = []): readonly string[] {
  const attribute = text.replace(/^attr\./, '')
  const equals = attribute.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Expected key=value.')
  const isRepeated = previous.some((each) => each.startsWith(attribute.slice(0, equals + 1)))
  if (isRepeated) throw new InvalidArgumentError('Its key is given twice.')
  return [...previous, attribute]
}
