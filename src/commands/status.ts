import { Command, InvalidArgumentError } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import type { RunContext } from '../lifecycle.ts'
import { describePostgres } from '../postgres-connection.ts'
import { describeRedis } from '../redis-url.ts'
import { openServers } from './open-servers.ts'
import { runCommand } from './run-command.ts'
import { findServers } from './servers.ts'
import { SERVICE_SETTINGS } from './service-url.ts'
import { addSettings } from './setting-flags.ts'
import { readDatabaseState } from './status/database-state.ts'
import { formatStatus, type StatusReport } from './status/format-status.ts'
import { runLiveStatus } from './status/live/run-live-status.ts'
import { type LookedAtService, lookedAtService, readServiceState } from './status/service-state.ts'
import { readStreamStates } from './status/stream-states.ts'

const EXAMPLES = `
Needs PostgreSQL and Redis; starts nothing. A service that runs tells its buffers, too. Rows with a "~" are estimates.

On a terminal it is live: q or Ctrl-C ends it, j and k scroll. A server that is lost meanwhile is tried again.
Into a pipe, with --once and with --json it is told once.

Examples:
  observatory status
  observatory status --interval 10
  observatory status --once
  ACCESS_TOKEN=… observatory status --url https://observatory.example:4318
  observatory status --json | jq '.streams[] | {stream, lag}'
  observatory status --json | jq .service.inFlightBytes`

interface StatusFlags {
  readonly json?: boolean
  readonly once?: boolean
  readonly interval: number
  readonly url?: string
}

const MIN_INTERVAL_S = 0.2
const MAX_INTERVAL_S = 3600

/** `observatory status`: how much there is in the streams and the tables, and how far ingest is; live on a terminal. */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show streams, tables, dead letters and how far ingest is.')
    .option('--json', 'once, as JSON')
    .option('--once', 'once, also on a terminal')
    .option('--interval <seconds>', 'between two looks on a terminal', parseInterval, 2)
    .option(
      '--url <url>',
      'of the service that is asked for its buffers (default: that of HTTP_HOST and HTTP_PORT)',
    )
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    ...SERVICE_SETTINGS,
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
  const isLive = process.stdout.isTTY === true && !flags.json && !flags.once
  await runCommand(loaded.settings, async (context) => {
    if (isLive) return runLiveStatus(loaded, { intervalMs: flags.interval * 1000, url: flags.url }, context)
    const report = await readStatus(loaded, lookedAtService(loaded.settings, flags.url), context)
    process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatStatus(report))
  })
}

async function readStatus(
  loaded: LoadedSettings,
  service: LookedAtService,
  context: RunContext,
): Promise<StatusReport> {
  const { settings } = loaded
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const urls = await findServers(loaded, { releasers: context.releasers, log })
  const options = { ...context, name: 'status', settings, urls }
  const { client, databaseUrl, redis, redisUrl } = await openServers(options)
  return {
    servers: { postgres: describePostgres(databaseUrl), redis: describeRedis(redisUrl) },
    service: await readServiceState(service),
    streams: await readStreamStates(redis, settings),
    ...(await readDatabaseState(client)),
  }
}

function parseInterval(text: string): number {
  const seconds = Number(text)
  if (seconds >= MIN_INTERVAL_S && seconds <= MAX_INTERVAL_S) return seconds
  throw new InvalidArgumentError(`Expected seconds, ${MIN_INTERVAL_S} to ${MAX_INTERVAL_S}.`)
}
