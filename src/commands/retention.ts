import { Command, Option } from 'commander'
import { parseLimitFlag } from './limit-flag.ts'
import { listRemovals } from './retention/list-removals.ts'
import { runRetentionNow } from './retention/run-retention-now.ts'
import { tellRemovals } from './retention/tell-removals.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
Partitions whose time is longer ago than the days of their signal are dropped whole.
Rules make exceptions, of which the first one that matches decides:

  RETENTION_TRACES_DAYS=30 RETENTION_LOGS_DAYS=14 RETENTION_METRICS_DAYS=90
  RETENTION_RULES='logs level<=debug 3, traces status=error 90, logs attr.tenant=acme 7'

The service does so by itself, about every hour.

Examples:
  observatory retention run --dry-run
  observatory retention run --retention-logs-days 14
  observatory retention list --limit 20`

const RUN_EXAMPLES = `
The exit code is 1 when something that is due is left: a reader that takes long is
waited for by the next run. It may be cut off and run again.

Examples:
  observatory retention run --dry-run --retention-rules 'logs level<=debug 3'
  observatory retention run --json | jq .bytes`

const SERVER_SETTINGS = [
  'databaseUrl',
  'dataDir',
  'embeddedPostgresBin',
  'startupTimeoutMs',
  'shutdownTimeoutMs',
  'logLevel',
] as const

/** `observatory retention`: removes what is past its retention. */
export function retentionCommand(): Command {
  return new Command('retention')
    .description('Remove telemetry that is past its retention, and say what was removed.')
    .addHelpText('after', EXAMPLES)
    .addCommand(runCommand())
    .addCommand(listCommand())
}

function runCommand(): Command {
  const command = new Command('run')
    .description('Remove now what is past its retention.')
    .option('--dry-run', 'only say what would go, and how much space comes back')
    .option('--json', 'as JSON')
  return addSettings(command, [
    ...SERVER_SETTINGS,
    'retentionTracesDays',
    'retentionMetricsDays',
    'retentionLogsDays',
    'retentionRules',
  ])
    .addHelpText('after', RUN_EXAMPLES)
    .action(async ({ dryRun = false, json = false, ...flags }: { dryRun?: boolean; json?: boolean }) => {
      await (dryRun ? tellRemovals(flags, json) : runRetentionNow(flags, json))
    })
}

function listCommand(): Command {
  const command = new Command('list')
    .description('List removals, the newest first.')
    .addOption(new Option('--limit <removals>', 'at most so many').argParser(parseLimitFlag).default(50))
    .option('--json', 'one JSON object a line')
  return addSettings(command, SERVER_SETTINGS).action(
    async ({ limit, json = false, ...flags }: { limit: number; json?: boolean }) => {
      await listRemovals(flags, { limit, json })
    },
  )
}
