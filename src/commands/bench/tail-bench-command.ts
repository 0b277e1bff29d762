import { Command } from 'commander'
import { loadSettings } from '../../config.ts'
import { runCommand } from '../run-command.ts'
import { addSettings } from '../setting-flags.ts'
import { setUpBench } from './bench-setup.ts'
import { parseCount } from './parse-flags.ts'
import { runTailBench } from './run-tail-bench.ts'
import { formatTailReport } from './tail-report.ts'

const EXAMPLES = `
Adds spans at a rate: with nobody who watches, with one tail of all of them, with
many of which each watches one service of a hundred; the same in each round, and in
the end with nobody again. Says how long a record takes from XADD to a tail and to a
query, how many times as long with many tails as with none, and whether each tail has
seen what it should. The tails keep all they are sent to look at it afterwards: two
gigabytes a minute. Servers as in bench ingest.

Examples:
  observatory bench tail
  observatory bench tail --rate 500 --watchers 50 --seconds 3 --rounds 1`

/** As PostgreSQL rests between two vacuums (autovacuum_naptime): each run has one beside it. */
const SECONDS = 60

interface TailBenchFlags {
  readonly rate: number
  readonly watchers: number
  readonly seconds: number
  readonly rounds: number
  readonly json?: boolean
}

/** `observatory bench tail`: how soon is a record on a tail, and what do a thousand tails cost ingest? */
export function tailBenchCommand(): Command {
  const command = new Command('tail')
    .description('Measure the live tail, and ingest beside it.')
    .option('--rate <rows>', 'spans a second', parseCount, 5000)
    .option('--watchers <count>', 'tails that watch a service each', parseCount, 1000)
    .option('--seconds <seconds>', 'how long each', parseCount, SECONDS)
    .option('--rounds <count>', 'how often; each waits 30 s for the end of its tails', parseCount, 3)
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
    .action(async ({ rate: rowsPerSecond, ...flags }: TailBenchFlags) => {
      const { settings } = loadSettings({ flags: { ...flags } })
      await runCommand(settings, async (context) => {
        const tell = (line: string) => void process.stderr.write(`${line}\n`)
        const bench = await setUpBench({ ...context, settings, tell, note: tell })
        const report = await runTailBench(bench, { ...flags, rowsPerSecond })
        process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatTailReport(report))
      })
    })
}
