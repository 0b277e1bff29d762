import { Command } from 'commander'
import { compareCommand } from './bench/compare-command.ts'
import { ingestCommand } from './bench/ingest-command.ts'

const EXAMPLES = `
Examples:
  observatory bench ingest
  observatory bench ingest --rows 20000 --rounds 3 --only spans --forms json
  observatory bench compare before.json after.json`

/** `observatory bench`: measures how fast this machine ingests. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure how fast this machine ingests, beside psql \\copy.')
    .addHelpText('after', EXAMPLES)
    .addCommand(ingestCommand())
    .addCommand(compareCommand())
}
