import { Command, Option } from 'commander'
import { readGroups, readStep } from '../../repositories/read-grouping.ts'
import { LLM_USAGE } from '../../repositories/statistics-repository.ts'
import { readingFlags } from './flag-name.ts'
import { addFilterFlags, addOutputFlags, type QueryFlags, readConditions } from './query-flags.ts'
import { runQuery } from './run-query.ts'
import { usageListing } from './usage-listing.ts'
import { writeListing } from './write-listing.ts'

const EXAMPLES = `
Calls of language models: how many, tokens, cost in US dollars, errors, how long they
took and how long until the first token. The dearest first; with --step the oldest.

Examples:
  observatory query usage --from -1d
  observatory query usage --by model,provider --service assistant
  observatory query usage --by user --from -30d --format csv > users.csv
  observatory query usage --from -1h --step 5m --json | jq .cost`

interface UsageFlags extends QueryFlags {
  readonly by: string
  readonly step?: string
}

/** `observatory query usage`. */
export function usageCommand(): Command {
  const words = Object.keys(LLM_USAGE.groups)
  const command = new Command('usage')
    .description('Add up calls of language models: tokens, cost, errors, latency.')
    .addOption(
      new Option('--by <words>', `Any of ${words.join(', ')}, with commas between them.`).default('model'),
    )
    .option('--step <duration>', 'One line for each so long: 30s, 5m, 1h, 1d.')
  return addOutputFlags(addFilterFlags(command, LLM_USAGE.columns), { noun: 'lines' })
    .addHelpText('after', EXAMPLES)
    .action(queryUsage)
}

async function queryUsage(flags: UsageFlags): Promise<void> {
  const grouping = readingFlags(() => ({
    by: readGroups(flags.by, Object.keys(LLM_USAGE.groups)),
    step: readStep(flags.step),
  }))
  const filter = readConditions(flags, LLM_USAGE.columns)
  await runQuery(flags, ({ statistics, output }) =>
    writeListing(usageListing(statistics, filter, grouping), flags.limit, output),
  )
}
