import { Command, InvalidArgumentError, Option } from 'commander'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { createLogger } from '../logger.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import { waitForRedis } from '../wait-for-redis.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { assertReadable } from './send/input-source.ts'
import { createMapping } from './send/record-mapping.ts'
import { send } from './send/run-send.ts'
import { isComplete, summaryLines } from './send/send-summary.ts'
import { enterServers } from './servers.ts'
import { addSettings } from './setting-flags.ts'

export { type SendOptions, send } from './send/run-send.ts'
export type { SendSummary } from './send/send-summary.ts'

interface SendFlags {
  readonly csv?: string
  readonly ndjson?: string
  readonly map?: readonly string[]
  readonly set?: readonly string[]
  readonly onlyMapped?: boolean
  readonly shiftToNow?: boolean
  readonly rate?: number
  readonly batch?: number
  readonly idempotencyKey?: string
  readonly validate: boolean
  readonly json?: boolean
}

const EXAMPLES = `
A column or path names a field (startTime, name, service), or a key after attributes. or resource. whose dots are
kept (attributes.gen_ai.usage.input_tokens). What names no field of the record becomes an attribute.

Examples:
  observatory send logs --ndjson app.ndjson
  tail -f app.log | observatory send logs -
  observatory send traces --csv calls.csv --shift-to-now \\
    --map TIMESTAMP=startTime,ContextTokens=attributes.gen_ai.usage.input_tokens \\
    --set name=chat,service=azure
  observatory send metrics --csv cpu.csv --set type=gauge,name=cpu.load,unit=1 --rate 500
  observatory send traces --ndjson big.ndjson --idempotency-key import-7   # run it again after an interruption
`

/** `observatory send`: adds the records of a CSV or NDJSON file, or of standard input, to a stream. */
export function sendCommand(): Command {
  const command = new Command('send')
    .description('Add the records of a CSV or NDJSON file, or of standard input, to a Redis stream.')
    .argument('<what>', TELEMETRY_SIGNALS.join(', '), parseTelemetrySignal)
    .argument(
      '[file]',
      '"-" for NDJSON on standard input, or a file: CSV if its name ends in .csv, else NDJSON',
    )
    .addOption(
      new Option('--csv <file>', 'CSV file with a header row; "-" is standard input').conflicts('ndjson'),
    )
    .option('--ndjson <file>', 'file with one JSON object a line; "-" is standard input')
    .option('--map <column=path,...>', 'where columns go (repeatable)', collect)
    .option('--set <path=value,...>', 'constants of every record; "\\," is a comma (repeatable)', collect)
    .option('--only-mapped', 'leave out columns that --map does not name')
    .option('--shift-to-now', 'move all times so that the newest record is at now')
    .option('--rate <records>', 'at most so many records per second', parsePositive)
    .option('--batch <records>', 'records per entry (default: 100)', parseBatch)
    .option('--idempotency-key <prefix>', 'repeating this run within an hour adds nothing twice')
    .option('--no-validate', 'do not check the records before sending them')
    .option('--json', 'print the summary as JSON on standard output')
  return addSettings(command, SETTINGS_USED).addHelpText('after', EXAMPLES).action(runSend)
}

const SETTINGS_USED = [
  'redisUrl',
  'dataDir',
  'startupTimeoutMs',
  'streamPrefix',
  'recordMaxBytes',
  'recordMaxDepth',
  'acceptPastDays',
  'acceptFutureDays',
  'shutdownTimeoutMs',
  'logLevel',
] as const

async function runSend(what: TelemetrySignal, file: string | undefined, flags: SendFlags): Promise<void> {
  const input = inputOf(file, flags)
  const loaded = loadSettings({ flags: { ...flags } })
  const { settings } = loaded
  // What is wrong with the command is told before a Redis is started or waited for.
  createMapping({ ...flags, telemetrySignal: what })
  if (input.path !== undefined) await assertReadable(input.path)
  await runCommand(settings, async (context) => {
    const summary = await send({
      ...flags,
      ...input,
      telemetrySignal: what,
      redisUrl: await findRedis(loaded, context),
      streamPrefix: settings.streamPrefix,
      accepted: flags.validate ? settings : undefined,
      stdin: process.stdin,
      signal: context.stopping,
      output: process.stderr,
    })
    if (flags.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
    else for (const line of summaryLines(summary)) writeLine(line)
    if (!isComplete(summary)) process.exitCode = EXIT_FAILED
  })
}

/** A Redis that answers: that of the settings, or the embedded one. */
async function findRedis(loaded: LoadedSettings, { stopping, releasers }: RunContext): Promise<string> {
  const want = { postgres: false, redis: true }
  const log = createLogger({ level: loaded.settings.logLevel, pretty: true })
  const { redisUrl } = await enterServers(loaded, want, { releasers, log: (line) => log.info(line) })
  if (redisUrl === undefined) {
    const message = 'the embedded Redis did not start; set REDIS_URL to one that runs'
    throw new ObservatoryError('ERR_SERVER_UNREACHABLE', message)
  }
  const timeoutMs = loaded.settings.startupTimeoutMs
  await waitForRedis({ url: redisUrl, timeoutMs, signal: stopping, log })
  return redisUrl
}

function writeLine(line: string): void {
  process.stderr.write(`${line}\n`)
}

function inputOf(
  file: string | undefined,
  { csv, ndjson }: SendFlags,
): { readonly format: 'csv' | 'ndjson'; readonly path: string | undefined } {
  const given = [file, csv, ndjson].filter((path) => path !== undefined)
  if (given.length > 1) {
    throw new ObservatoryError(
      'ERR_USAGE',
      'more than one input is given; expected one of --csv, --ndjson and a file',
    )
  }
  if (given.length === 0 && process.stdin.isTTY) {
    throw new ObservatoryError(
      'ERR_USAGE',
      'no input is given; expected --csv FILE, --ndjson FILE or - for standard input',
    )
  }
  const [path = '-'] = given
  const isCsv = csv !== undefined || file?.endsWith('.csv') === true
  return { format: isCsv ? 'csv' : 'ndjson', path: path === '-' ? undefined : path }
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}

function parseTelemetrySignal(text: string): TelemetrySignal {
  const found = TELEMETRY_SIGNALS.find((known) => known === text)
  if (found === undefined) throw new InvalidArgumentError(`Expected one of ${TELEMETRY_SIGNALS.join(', ')}.`)
  return found
}

function parsePositive(text: string): number {
  const number = Number(text)
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError('Expected a number above 0.')
  return number
}

function parseBatch(text: string): number {
  const number = parsePositive(text)
  if (!Number.isInteger(number) || number > 10_000)
    throw new InvalidArgumentError('Expected 1 to 10000 records.')
  return number
}
