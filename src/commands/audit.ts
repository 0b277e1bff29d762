import { Command, Option } from 'commander'
import { audit, type SignalAudit } from '../audit/audit.ts'
import type { AuditFailure } from '../audit/audit-failure.ts'
import { EVERY_KEY, type KeyRange, keyOf } from '../audit/entry-key.ts'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { migrationStatus } from '../migrate.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import { AuditOutput } from './audit/audit-output.ts'
import { AuditProgressLine } from './audit/audit-progress-line.ts'
import { type EntryPosition, parseEntryPosition } from './entry-position.ts'
import { openServers } from './open-servers.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { findServers } from './servers.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
Every entry that is still in a stream must be committed, pending or not yet read; every
batch in the ledger must have the rows and dead letters that it counted; nothing may be
there twice, or come from nowhere. Each id that fails is printed, and the exit code is
then 1. A running service is no hindrance. Changes nothing.

--from and --to take an entry id (inclusive) or a time (--to: exclusive) by which entries
were added; PostgreSQL is looked at in whole batches. It reads each table once and sorts
about 50 bytes of each record, on disk past work_mem; until the end VACUUM cannot remove
what is deleted meanwhile. Point it at the primary: a replica lags behind.

Examples:
  observatory audit
  observatory audit --from -2h --signal logs
  observatory audit --from 1700000000000-0 --to 1700000000500-3
  observatory audit --json | jq -r '.failures[] | .id'`

interface AuditFlags {
  readonly from?: EntryPosition
  readonly to?: EntryPosition
  readonly signal?: TelemetrySignal
  readonly json?: boolean
}

/** `observatory audit`: proves that what is in the streams and in the ledger is in the tables, once. */
export function auditCommand(): Command {
  const command = new Command('audit')
    .description('Check that every record is in the database exactly once.')
    .option('--from <id|time>', 'entries from here on', parseEntryPosition)
    .option('--to <id|time>', 'entries up to here', parseEntryPosition)
    .addOption(new Option('--signal <word>', 'only this one').choices(TELEMETRY_SIGNALS))
    .option('--json', 'as JSON: {failures: [...], signals: [...]}')
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'consumerGroup',
    'acceptPastDays',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(runAudit)
}

async function runAudit({ from, to, signal, json, ...flags }: AuditFlags): Promise<void> {
  const range = rangeOf(from, to)
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    const output = new AuditOutput(process.stdout, json === true)
    const progress = new AuditProgressLine(process.stderr)
    const onFailure = async (failure: AuditFailure): Promise<void> => {
      progress.clear()
      await output.failure(failure)
    }
    const audits = await auditServers(loaded, context, {
      signals: signal === undefined ? TELEMETRY_SIGNALS : [signal],
      range,
      onFailure,
      onProgress: (state) => progress.update(state),
    }).finally(() => progress.clear())
    await output.end(audits)
    if (audits.some(({ failures }) => failures > 0)) process.exitCode = EXIT_FAILED
  })
}

type AuditWhat = Pick<Parameters<typeof audit>[0], 'signals' | 'range' | 'onFailure' | 'onProgress'>

async function auditServers(
  loaded: LoadedSettings,
  context: RunContext,
  what: AuditWhat,
): Promise<readonly SignalAudit[]> {
  const { settings } = loaded
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const urls = await findServers(loaded, { releasers: context.releasers, log })
  const options = { ...context, name: 'audit', settings, urls }
  const { client, redis } = await openServers(options)
  const { pending } = await migrationStatus(client)
  if (pending.length > 0) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${pending.length} migrations are pending, so the tables are not what this program audits; run "observatory migrate"`,
    )
  }
  const { streamPrefix, consumerGroup: group, acceptPastDays } = settings
  return audit({ ...what, redis, client, streamPrefix, group, acceptPastDays, stopping: context.stopping })
}

/** @throws ObservatoryError ERR_USAGE when nothing lies between the two. */
function rangeOf(from: EntryPosition | undefined, to: EntryPosition | undefined): KeyRange {
  const first = from === undefined ? EVERY_KEY.from : keyOf(from.id)
  const last = to === undefined ? EVERY_KEY.to : keyOf(to.id) - (to.isTime ? 1n : 0n)
  if (first > last) {
    throw new ObservatoryError('ERR_USAGE', '--from lies after --to; expected the earlier of the two first')
  }
  return { from: first, to: last }
}
