import { Command } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { type RunContext, withReleasers } from '../lifecycle.ts'
import { type MigrationStatus, migrate, migrationStatus } from '../migrate.ts'
import { openClient } from '../postgres-connection.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { enterPostgres } from './servers.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
"observatory serve" does this at start by itself. Several at once are safe: one
works, the others wait. With --status the exit code is 1 when migrations are pending.

Examples:
  DATABASE_URL=postgresql://me@db/telemetry observatory migrate
  observatory migrate --status || observatory migrate`

interface MigrateFlags {
  readonly status?: boolean
}

/** `observatory migrate`: brings the tables of the database to this program's version. */
export function migrateCommand(): Command {
  const command = new Command('migrate')
    .description("Bring the database's tables to this program's version.")
    .option('--status', 'only show what is applied and what is pending')
  return addSettings(command, [
    'databaseUrl',
    'dataDir',
    'embeddedPostgresBin',
    'startupTimeoutMs',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(runMigrate)
}

async function runMigrate(flags: MigrateFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    const databaseUrl = await answeringPostgres(loaded, context)
    if (flags.status) await showStatus(databaseUrl)
    else await applyPending(databaseUrl, context.stopping)
  })
}

async function answeringPostgres(
  loaded: LoadedSettings,
  { stopping, releasers }: RunContext,
): Promise<string> {
  const databaseUrl = await enterPostgres(loaded, { releasers, log: writeNote })
  const { startupTimeoutMs: timeoutMs } = loaded.settings
  await waitForPostgres({
    databaseUrl,
    timeoutMs,
    signal: stopping,
    log: { info: (...line: LogLine) => writeNote(noteOf(...line)) },
  })
  return databaseUrl
}

/** Names as they are applied: a large table can take minutes. */
async function applyPending(databaseUrl: string, signal: AbortSignal): Promise<void> {
  const info = (...line: LogLine): void => {
    const text = noteOf(...line)
    if (text.startsWith('applied ')) process.stdout.write(`${text}\n`)
    else writeNote(text)
  }
  const { applied, version } = await migrate({ databaseUrl, signal, log: { info } })
  process.stdout.write(`${applied.length === 0 ? 'nothing to apply, ' : ''}version ${version}\n`)
}

async function showStatus(databaseUrl: string): Promise<void> {
  const status = await withReleasers(async (releasers) => {
    const client = await openClient({ databaseUrl, applicationName: 'observatory migrate' })
    releasers.defer('PostgreSQL connection', () => client.end())
    return migrationStatus(client)
  })
  process.stdout.write(formatStatus(status))
  if (status.pending.length > 0) process.exitCode = EXIT_FAILED
}

function formatStatus({ version, latest, pending }: MigrationStatus): string {
  const names = pending.map((name) => `pending ${name}\n`)
  return `version ${version} of ${latest}\n${names.join('')}`
}

function writeNote(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** The part of a log line that is for people. */
function noteOf(...[first, message = '']: LogLine): string {
  return typeof first === 'string' ? first : message
}

type LogLine = [first: string | Readonly<Record<string, unknown>>, message?: string]
