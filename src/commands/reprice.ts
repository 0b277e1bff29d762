import { Command } from 'commander'
import { loadSettings } from '../config.ts'
import { dollarsOf } from '../models/prices/call-cost.ts'
import { openClient } from '../postgres-connection.ts'
import { readPrices } from '../read-prices.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { type Repriced, repriceSpans } from '../writers/reprice-spans.ts'
import { runCommand } from './run-command.ts'
import { Progress } from './send/progress.ts'
import { enterPostgres } from './servers.ts'
import { addSettings } from './setting-flags.ts'
import { formatCount } from './text-table.ts'
import { parseTimeFlag } from './time-flag.ts'

const EXAMPLES = `
Ingest computes the cost of each call by the prices of the time it was made. Where a
price was missing or wrong, put it into a file (PRICES_FILE; prices.yaml says how), have
the service started with it, and run this. A cost that was sent with a call is kept, and
one whose price is not known now. It may be cut off and run again; what is right already
is not touched.

Examples:
  observatory reprice --from -7d --prices-file prices.own.yaml --dry-run
  observatory reprice --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z`

interface RepriceFlags {
  readonly from: number
  readonly to?: number
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `observatory reprice`: computes the cost of stored calls anew. */
export function repriceCommand(): Command {
  const command = new Command('reprice')
    .description('Compute the cost of stored calls anew, by the price list of now.')
    .requiredOption('--from <time>', 'calls made then or later: RFC 3339, unix, or -7d', parseTime)
    .option('--to <time>', 'calls made before; without it up to the newest', parseTime)
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'as JSON: {calls, changed, withoutPrice, costBefore, costAfter}')
  return addSettings(command, [
    'databaseUrl',
    'pricesFile',
    'dataDir',
    'embeddedPostgresBin',
    'startupTimeoutMs',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(runReprice)
}

async function runReprice({ from, to, dryRun = false, json, ...flags }: RepriceFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  const { settings } = loaded
  const prices = readPrices(settings.pricesFile)
  await runCommand(settings, async ({ stopping, releasers }) => {
    const log = (line: string): void => void process.stderr.write(`${line}\n`)
    const databaseUrl = await enterPostgres(loaded, { releasers, log })
    await waitForPostgres({ databaseUrl, timeoutMs: settings.startupTimeoutMs, signal: stopping })
    const client = await openClient({ databaseUrl, applicationName: 'observatory reprice' })
    releasers.defer('PostgreSQL connection', () => client.end())
    const progress = new Progress(process.stderr)
    const repriced = await repriceSpans(client, {
      prices,
      fromMs: from,
      toMs: to ?? Number.MAX_SAFE_INTEGER / 1000,
      dryRun,
      signal: stopping,
      onProgress: ({ calls, doneBlocks, totalBlocks }) =>
        progress.update({
          noun: 'calls',
          records: calls,
          refused: 0,
          bytesRead: doneBlocks,
          totalBytes: totalBlocks,
        }),
    })
    progress.clear()
    process.stdout.write(json ? asJson(repriced) : asText(repriced, dryRun))
  })
}

function asJson({ costBefore, costAfter, ...counts }: Repriced): string {
  const costs = { costBefore: dollarsOf(costBefore), costAfter: dollarsOf(costAfter) }
  return `${JSON.stringify({ ...counts, ...costs }, null, 2)}\n`
}

function asText({ calls, changed, withoutPrice, costBefore, costAfter }: Repriced, dryRun: boolean): string {
  const lines = [
    `${formatCount(calls)} calls without a cost of their own, ${formatCount(changed)} ${dryRun ? 'would change' : 'changed'}`,
    `their cost: $${dollarsOf(costBefore)} before, $${dollarsOf(costAfter)} after`,
  ]
  if (withoutPrice > 0)
    lines.push(
      `${formatCount(withoutPrice)} are of models in no price list, and stay as they are: "observatory doctor" names those without a cost`,
    )
  return `${lines.join('\n')}\n`
}

/** @returns unix milliseconds. */
function parseTime(text: string): number {
  return Number(parseTimeFlag(text) / 1_000_000n)
}
