import { Command } from 'commander'
import { loadSettings } from '../../config.ts'
import { runCommand } from '../run-command.ts'
import { addSettings } from '../setting-flags.ts'
import { setUpBench } from './bench-setup.ts'
import { parseCount } from './parse-flags.ts'
import { formatQueryReport } from './query-report.ts'
import { runQueryBench } from './run-query-bench.ts'

const EXAMPLES = `
Stores spans and log records in one day and a few in each of the 60 days before,
then asks the service: all spans as NDJSON, beside psql running
\\copy (select to_json(v) from span_view v) in turn; the same with a client that
reads 1 MB/s; traces by their ids; the newest pages. Servers as in bench ingest.

Examples:
  observatory bench query
  observatory bench query --rows 20000 --rounds 1 --seconds 2`

interface QueryBenchFlags {
  readonly rows: number
  readonly rounds: number
  readonly seconds: number
  readonly json?: boolean
}

/** `observatory bench query`: how fast are rows read, beside psql, and in how much memory? */
export function queryBenchCommand(): Command {
  const command = new Command('query')
    .description('Measure reading beside psql \\copy.')
    .option('--rows <rows>', 'spans, and log records', parseCount, 1_000_000)
    .option('--rounds <rounds>', 'exports by each', parseCount, 3)
    .option('--seconds <seconds>', 'how long the slow client reads', parseCount, 20)
    .option('--json', 'everything measured, as JSON')
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'embeddedPostgresBin',
    'startupTimeoutMs',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(async (flags: QueryBenchFlags) => {
      const { settings } = loadSettings({ flags: { ...flags } })
      await runCommand(settings, async (context) => {
        const tell = (line: string) => void process.stderr.write(`${line}\n`)
        const bench = await setUpBench({ ...context, settings, tell, note: tell })
        const report = await runQueryBench(bench, flags)
        process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatQueryReport(report))
      })
    })
}
