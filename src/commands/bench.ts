import { Command } from 'commander'
import { compareCommand } from './bench/compare-command.ts'
import { ingestCommand } from './bench/ingest-command.ts'
import { queryBenchCommand } from './bench/query-bench-command.ts'
import { tailBenchCommand } from './bench/tail-bench-command.ts'

const EXAMPLES = `
Examples:
  observatory bench ingest
  observatory bench ingest --rows 20000 --rounds 3 --only spans --forms json
  observatory bench compare before.json after.json
  observatory bench query --rows 1000000
  observatory bench tail`

/** `observatory bench`: measures how fast this machine ingests and reads. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure how fast this machine ingests, reads and shows, beside psql \\copy.')
    .addHelpText('after', EXAMPLES)
    .addCommand(ingestCommand())
    .addCommand(compareCommand())
    .addCommand(queryBenchCommand())
    .addCommand(tailBenchCommand())
}
