import { Command } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import type { RunContext } from '../lifecycle.ts'
import { describePostgres, openClient } from '../postgres-connection.ts'
import { createRedis, whenReady } from '../redis.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { describeRedis, waitForRedis } from '../wait-for-redis.ts'
import { runCommand } from './run-command.ts'
import { findServers, notRunning } from './servers.ts'
import { addSettings } from './setting-flags.ts'
import { readDatabaseState } from './status/database-state.ts'
import { formatStatus, type StatusReport } from './status/format-status.ts'
import { readStreamStates } from './status/stream-states.ts'

const EXAMPLES = `
Needs PostgreSQL and Redis, no running service; starts nothing. Rows with a "~" are estimates.

Examples:
  observatory status
  observatory status --json | jq '.streams[] | {stream, lag}'`

/** Who asks for the state wants to know now, even that there is none. */
const PATIENCE_MS = 3000

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

async function readStatus(
  loaded: LoadedSettings,
  { stopping, releasers }: RunContext,
): Promise<StatusReport> {
  const { settings } = loaded
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const { databaseUrl, redisUrl } = await findServers(loaded, { releasers, log })
  if (databaseUrl === undefined) throw notRunning(settings, 'PostgreSQL')
  if (redisUrl === undefined) throw notRunning(settings, 'Redis')
  const timeoutMs = Math.min(PATIENCE_MS, settings.startupTimeoutMs)
  await Promise.all([
    waitForPostgres({ databaseUrl, timeoutMs, signal: stopping }),
    waitForRedis({ url: redisUrl, timeoutMs, signal: stopping }),
  ])
  const client = await openClient({ databaseUrl, applicationName: 'observatory status' })
  releasers.defer('PostgreSQL connection', () => client.end())
  const redis = createRedis({ url: redisUrl, role: 'commands', name: 'status', onError: () => undefined })
  releasers.defer('Redis connection', () => redis.disconnect())
  await whenReady(redis, stopping)
  return {
    servers: { postgres: describePostgres(databaseUrl), redis: describeRedis(redisUrl) },
    streams: await readStreamStates(redis, settings),
    ...(await readDatabaseState(client)),
  }
}
