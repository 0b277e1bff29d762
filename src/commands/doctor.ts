import { Command } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { messageOf, ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { describePostgres } from '../postgres-connection.ts'
import { describeRedis } from '../redis-url.ts'
import { findPostgresClock, findRedisClock } from './doctor/clock-findings.ts'
import { connectionsNeeded } from './doctor/connections-needed.ts'
import { type Finding, fail, ok } from './doctor/finding.ts'
import { formatFindings } from './doctor/format-findings.ts'
import { findNode } from './doctor/node-finding.ts'
import { findInPostgres } from './doctor/postgres-findings.ts'
import { findInRedis } from './doctor/redis-findings.ts'
import { type OpenServersOptions, openPostgres, openRedis } from './open-servers.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { findServers } from './servers.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
Changes nothing and starts nothing. The exit code is 1 when a check fails; warnings leave it at 0.

Examples:
  observatory doctor
  observatory doctor --database-url-file /run/secrets/db --redis-url redis://cache
  observatory doctor --json | jq -r '.[] | select(.level != "ok") | .advice'`

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
  const options = { ...context, name: 'doctor', settings: loaded.settings, urls }
  const [postgres, redis] = await Promise.all([
    orFinding('PostgreSQL', () => examinePostgres(options)),
    orFinding('Redis', () => examineRedis(options)),
  ])
  return [findNode(), ...postgres, ...redis]
}

async function examinePostgres(options: OpenServersOptions): Promise<readonly Finding[]> {
  const { client, databaseUrl, version } = await openPostgres(options)
  return [
    ok('PostgreSQL', `${describePostgres(databaseUrl)}, version ${version}`),
    ...(await findInPostgres(client, connectionsNeeded(options.settings))),
    await findPostgresClock(client),
  ]
}

async function examineRedis(options: OpenServersOptions): Promise<readonly Finding[]> {
  const { redis, redisUrl, label } = await openRedis(options)
  return [
    ok('Redis', `${describeRedis(redisUrl)}, ${label}`),
    ...(await findInRedis(redis, options.settings)),
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
