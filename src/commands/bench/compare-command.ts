import { Command } from 'commander'
import { readReport } from './bench-report.ts'
import { formatComparison } from './compare-reports.ts'

const EXAMPLES = `
Shows what is in both reports. Ratios to \\copy are of one run each, so they say
more than rows/s do.

Examples:
  observatory bench compare before.json after.json`

/** `observatory bench compare`: what changed between two runs. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('Compare two --json files of "bench ingest".')
    .argument('<before>', 'the earlier one')
    .argument('<after>', 'the later one')
    .addHelpText('after', EXAMPLES)
    .action((before: string, after: string) => {
      process.stdout.write(formatComparison(readReport(before), readReport(after)))
    })
}
