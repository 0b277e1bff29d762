import { Command, InvalidArgumentError, Option } from 'commander'
import { addArchiveSettings } from './archive/archive-flags.ts'
import { type EraseFlags, runErase } from './erase/run-erase.ts'

const EXAMPLES = `
What goes: every trace in which a span or log record names the user or session, whole,
with its logs and evaluations; log records and data points that name them; prompts and
completions of all these; dead letters in which an id stands; entries of streams that
were ingested. From tables, from archives, which are written anew and read back, and
from what rollups keep of rows that are in archives alone.

What is there now goes. What is sent later is stored like all else, so stop sending it
first. Out of reach are files of producers, backups, the WAL and copies of archives.

It asks before it begins, unless --yes is given. It may be cut off: the same ids again
finish it. The exit code is 1 while entries that hold something wait to be ingested.

Examples:
  observatory erase --user 42 --dry-run
  observatory erase --user 42 --user ann@example.com --yes
  observatory erase --session 9f1c2d --json --yes
  observatory erase --trace 5b8aa5a2d2c872e8321cf37308d69df2`

/** `observatory erase`: removes a person's data. */
export function eraseCommand(): Command {
  const command = new Command('erase')
    .description("Erase a person's data from tables, archives, dead letters and streams.")
    .addOption(new Option('--user <id>', 'of this user (repeatable)').argParser(collectId))
    .addOption(
      new Option('--session <id>', 'of this session or conversation (repeatable)').argParser(collectId),
    )
    .addOption(new Option('--trace <id>', 'this trace, 32 hex digits (repeatable)').argParser(collectTraceId))
    .option('--dry-run', 'only say what would go')
    .option('--yes', 'do not ask')
    .option('--without-archives', 'where ARCHIVE_URL is not set: leave archives as they are')
    .addOption(
      new Option('--wait <seconds>', 'for entries to be ingested, at most')
        .argParser(parseSeconds)
        .default(30),
    )
    .option('--json', 'as JSON')
  return addArchiveSettings(command, [
    'databaseUrl',
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'consumerGroup',
  ])
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EraseFlags) => runErase(flags))
}

function collectId(text: string, previous: readonly string[] = []): readonly string[] {
  if (text === '' || text.includes('\0')) throw new InvalidArgumentError('Expected an id.')
  return [...previous, text]
}

function collectTraceId(text: string, previous: readonly string[] = []): readonly string[] {
  if (!/^[0-9a-f]{32}$/i.test(text)) throw new InvalidArgumentError('Expected 32 hex digits.')
  return [...previous, text.toLowerCase()]
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d{1,6}$/.test(text)) return seconds
  throw new InvalidArgumentError('Expected whole seconds.')
}
