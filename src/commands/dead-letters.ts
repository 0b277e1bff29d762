import { Argument, Command, Option } from 'commander'
import { addLetterFilter, type FilterFlags, parseLetterId, readFilter } from './dead-letters/letter-flags.ts'
import { listLetters } from './dead-letters/list-letters.ts'
import { purgeLetters } from './dead-letters/purge-letters.ts'
import { runReplay } from './dead-letters/run-replay.ts'
import { showLetter } from './dead-letters/show-letter.ts'
import { withLetters } from './dead-letters/with-letters.ts'
import { parseLimitFlag } from './limit-flag.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
A refused record is kept with its reason. Mend the cause (raise a limit, update
the program, widen the accepted window), then replay: the records become rows.

Examples:
  observatory dead-letters list --from -1d
  observatory dead-letters show 0198c2f0-6f0e-4c55-9a51-3d0cfb1f7a10
  observatory dead-letters replay --reason time_out_of_window --accept-past-days 90
  observatory dead-letters purge --signal logs --to -7d --dry-run`

const LIST_EXAMPLES = `
Examples:
  observatory dead-letters list --reason bad_time --limit 20
  observatory dead-letters list --json --signal traces | jq -r .detail | sort | uniq -c`

const SHOW_EXAMPLES = `
Examples:
  observatory dead-letters show 0198c2f0-6f0e-4c55-9a51-3d0cfb1f7a10
  observatory dead-letters show 0198c2f0-6f0e-4c55-9a51-3d0cfb1f7a10 --raw > payload`

const REPLAY_EXAMPLES = `
Without ids and filters all letters are replayed that were not yet. A line for
each that is refused again goes to standard output, and the exit code is then 1.
Repeating it, twice at once or after a crash, doubles nothing.

Examples:
  observatory dead-letters replay --dry-run
  observatory dead-letters replay --signal traces --reason too_large --record-max-bytes 4MiB
  observatory dead-letters replay 0198c2f0-6f0e-4c55-9a51-3d0cfb1f7a10`

const PURGE_EXAMPLES = `
Erases payload and detail for good; that there was a letter, and why, is kept as
long as the ledger counts it. Asks nothing.

Examples:
  observatory dead-letters purge --to -30d --dry-run
  observatory dead-letters purge 0198c2f0-6f0e-4c55-9a51-3d0cfb1f7a10
  observatory dead-letters purge --all`

const SERVER_SETTINGS = [
  'databaseUrl',
  'dataDir',
  'embeddedPostgresBin',
  'startupTimeoutMs',
  'shutdownTimeoutMs',
  'logLevel',
] as const

/** `observatory dead-letters`: what was refused, and what to do about it. */
export function deadLettersCommand(): Command {
  return new Command('dead-letters')
    .description('List, show, replay and purge records that were refused.')
    .addHelpText('after', EXAMPLES)
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(purgeCommand())
}

function listCommand(): Command {
  const command = addLetterFilter(new Command('list').description('List dead letters, newest first.'))
    .addOption(new Option('--limit <letters>', 'at most so many (default: all)').argParser(parseLimitFlag))
    .option('--purged', 'show purged ones, too')
    .option('--json', 'one JSON object a line')
  return addSettings(command, SERVER_SETTINGS)
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (flags: FilterFlags & { limit?: number; purged?: boolean; json?: boolean }) => {
      const filter = { ...readFilter(flags), withPurged: flags.purged === true, limit: flags.limit ?? null }
      const { stdout, stderr } = process
      await withLetters(flags, ({ repository, signal }) =>
        listLetters(repository, filter, { json: flags.json === true, stdout, stderr, signal }),
      )
    })
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show one dead letter with its payload.')
    .addArgument(new Argument('<id>', 'as list shows it').argParser((text) => parseLetterId(text)))
    .addOption(new Option('--raw', 'write the bytes of the payload, nothing else').conflicts('json'))
    .option('--json', 'as JSON, the payload as base64')
  return addSettings(command, SERVER_SETTINGS)
    .addHelpText('after', SHOW_EXAMPLES)
    .action(async (id: string, flags: { raw?: boolean; json?: boolean }) => {
      const form = flags.raw ? 'raw' : flags.json ? 'json' : 'readable'
      await withLetters(flags, ({ repository, signal }) =>
        showLetter(repository, id, { form, stdout: process.stdout, signal }),
      )
    })
}

function replayCommand(): Command {
  const command = addLetterFilter(
    new Command('replay')
      .description('Make rows of dead letters, now that they may be good.')
      .addArgument(new Argument('[id...]', 'letters, as list shows them').argParser(parseLetterId)),
  ).option('--dry-run', 'only check: what is good by the rules of now')
  return addSettings(command, [
    ...SERVER_SETTINGS,
    'batchMaxRows',
    'batchMaxBytes',
    'recordMaxBytes',
    'recordMaxDepth',
    'acceptPastDays',
    'acceptFutureDays',
    'seriesMaxPerMetric',
    'seriesMaxPerService',
    'pricesFile',
    'redact',
    'redactionFile',
    'content',
    'contentMaxCharacters',
    'deadLetterPayload',
    'partitionInterval',
  ])
    .addHelpText('after', REPLAY_EXAMPLES)
    .action(async (ids: readonly string[], flags: FilterFlags & { dryRun?: boolean }) => {
      const filter = readFilter(flags, ids)
      await withLetters(flags, (letters) => runReplay(letters, filter, { dryRun: flags.dryRun === true }))
    })
}

function purgeCommand(): Command {
  const command = addLetterFilter(
    new Command('purge')
      .description('Erase what dead letters hold.')
      .addArgument(new Argument('[id...]', 'letters, as list shows them').argParser(parseLetterId)),
  )
    .option('--all', 'every letter there is')
    .option('--dry-run', 'only count them')
  return addSettings(command, SERVER_SETTINGS)
    .addHelpText('after', PURGE_EXAMPLES)
    .action(async (ids: readonly string[], flags: FilterFlags & { all?: boolean; dryRun?: boolean }) => {
      const filter = readFilter(flags, ids, { all: flags.all === true })
      await withLetters(flags, ({ repository, signal }) =>
        purgeLetters(repository, filter, { dryRun: flags.dryRun === true, signal }),
      )
    })
}
