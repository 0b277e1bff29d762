import { Command } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { messageOf, ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { describePostgres, openClient } from '../postgres-connection.ts'
import { createRedis, whenReady } from '../redis.ts'
import type { Settings } from '../settings.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { describeRedis, waitForRedis } from '../wait-for-redis.ts'
import { findPostgresClock, findRedisClock } from './doctor/clock-findings.ts'
import { connectionsNeeded } from './doctor/connections-needed.ts'
import { type Finding, fail, ok } from './doctor/finding.ts'
import { formatFindings } from './doctor/format-findings.ts'
import { findNode } from './doctor/node-finding.ts'
import { findInPostgres } from './doctor/postgres-findings.ts'
import { findInRedis } from './doctor/redis-findings.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { findServers, notRunning, type ServerUrls } from './servers.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
Changes nothing and starts nothing. The exit code is 1 when a check fails; warnings leave it at 0.

Examples:
  observatory doctor
  observatory doctor --database-url-file /run/secrets/db --redis-url redis://cache
  observatory doctor --json | jq -r '.[] | select(.level != "ok") | .advice'`

/** A server that does not answer by then is a finding. */
const PATIENCE_MS = 3000

interface DoctorFlags {
  readonly json?: boolean
}

/** `observatory doctor`: looks at everything around the service that can make it lose data or not work. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check servers, settings and clocks, and say what to do.')
    .option('--json', 'as JSON: a list of {level, check, found, advice}')
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'consumerGroup',
    'writeConcurrency',
    'databasePoolMax',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(doctor)
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    const findings = await examine(loaded, context)
    process.stdout.write(flags.json ? `${JSON.stringify(findings, null, 2)}\n` : formatFindings(findings))
    if (findings.some(({ level }) => level === 'fail')) process.exitCode = EXIT_FAILED
  })
}

async function examine(loaded: LoadedSettings, context: RunContext): Promise<readonly Finding[]> {
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const urls = await findServers(loaded, { releasers: context.releasers, log })
  const inspection = { ...context, settings: loaded.settings, urls }
  const [postgres, redis] = await Promise.all([
    orFinding('PostgreSQL', () => examinePostgres(inspection)),
    orFinding('Redis', () => examineRedis(inspection)),
  ])
  return [findNode(), ...postgres, ...redis]
}

interface Inspection extends RunContext {
  readonly settings: Settings
  readonly urls: ServerUrls
}

async function examinePostgres({
  settings,
  urls,
  stopping,
  releasers,
}: Inspection): Promise<readonly Finding[]> {
  const { databaseUrl } = urls
  if (databaseUrl === undefined) throw notRunning(settings, 'PostgreSQL')
  const timeoutMs = Math.min(PATIENCE_MS, settings.startupTimeoutMs)
  const { version } = await waitForPostgres({ databaseUrl, timeoutMs, signal: stopping })
  const client = await openClient({ databaseUrl, applicationName: 'observatory doctor' })
  releasers.defer('PostgreSQL connection', () => client.end())
  return [
    ok('PostgreSQL', `${describePostgres(databaseUrl)}, version ${version}`),
    ...(await findInPostgres(client, connectionsNeeded(settings))),
    await findPostgresClock(client),
  ]
}

async function examineRedis({
  settings,
  urls,
  stopping,
  releasers,
}: Inspection): Promise<readonly Finding[]> {
  const { redisUrl } = urls
  if (redisUrl === undefined) throw notRunning(settings, 'Redis')
  const timeoutMs = Math.min(PATIENCE_MS, settings.startupTimeoutMs)
  const { label } = await waitForRedis({ url: redisUrl, timeoutMs, signal: stopping })
  const redis = createRedis({ url: redisUrl, role: 'commands', name: 'doctor', onError: () => undefined })
  releasers.defer('Redis connection', () => redis.disconnect())
  await whenReady(redis, stopping)
  return [
    ok('Redis', `${describeRedis(redisUrl)}, ${label}`),
    ...(await findInRedis(redis, settings)),
    await findRedisClock(redis),
  ]
}

/** A server that cannot be used is the finding; the other one is looked at all the same. */
async function orFinding(
  check: string,
  examineServer: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await examineServer()
  } catch (error) {
    if (!(error instanceof ObservatoryError)) throw error
    return [fail(check, messageOf(error), 'Nothing else about it could be checked.')]
  }
}
