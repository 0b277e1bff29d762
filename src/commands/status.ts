import { Command } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import type { RunContext } from '../lifecycle.ts'
import { describePostgres } from '../postgres-connection.ts'
import { describeRedis } from '../redis-url.ts'
import { openServers } from './open-servers.ts'
import { runCommand } from './run-command.ts'
import { findServers } from './servers.ts'
import { addSettings } from './setting-flags.ts'
import { readDatabaseState } from './status/database-state.ts'
import { formatStatus, type StatusReport } from './status/format-status.ts'
import { readStreamStates } from './status/stream-states.ts'

const EXAMPLES = `
Needs PostgreSQL and Redis, no running service; starts nothing. Rows with a "~" are estimates.

Examples:
  observatory status
  observatory status --json | jq '.streams[] | {stream, lag}'`

interface StatusFlags {
  readonly json?: boolean
}

/** `observatory status`: how much there is in the streams and the tables, and how far ingest is. */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show streams, tables, dead letters and how far ingest is.')
    .option('--json', 'as JSON')
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'consumerGroup',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(status)
}

async function status(flags: StatusFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    const report = await readStatus(loaded, context)
    process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatStatus(report))
  })
}

async function readStatus(loaded: LoadedSettings, context: RunContext): Promise<StatusReport> {
  const { settings } = loaded
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const urls = await findServers(loaded, { releasers: context.releasers, log })
  const options = { ...context, name: 'status', settings, urls }
  const { client, databaseUrl, redis, redisUrl } = await openServers(options)
  return {
    servers: { postgres: describePostgres(databaseUrl), redis: describeRedis(redisUrl) },
    streams: await readStreamStates(redis, settings),
    ...(await readDatabaseState(client)),
  }
}
