import { resolve } from 'node:path'
import { Command } from 'commander'
import { loadSettings } from '../config.ts'
import { runDemo } from '../demo/run-demo.ts'
import type { RunContext } from '../lifecycle.ts'
import { createLogger, type Logger } from '../logger.ts'
import { createProducer } from '../producer.ts'
import type { Settings } from '../settings.ts'
import { positiveNumber } from './positive-number.ts'
import { StatusLine } from './quickstart/status-line.ts'
import { tellRows } from './quickstart/tell-rows.ts'
import { whatToLookAt } from './quickstart/what-to-look-at.ts'
import { runCommand } from './run-command.ts'
import { addSettings } from './setting-flags.ts'
import { type StartedService, startWithServers } from './start-with-servers.ts'

const EXAMPLES = `
Ctrl-C stops everything that was started. The data of embedded servers stays in
their folder, .observatory.

Examples:
  observatory quickstart
  observatory quickstart --rate 50 --for 60
  REDIS_URL=redis://127.0.0.1:6379 observatory quickstart --http-port 4319`

interface QuickstartFlags {
  readonly rate: number
  readonly for?: number
}

/** `observatory quickstart`: everything at once, on made-up telemetry, with a list of what to look at. */
export function quickstartCommand(): Command {
  const command = new Command('quickstart')
    .description('Start everything with live made-up LLM telemetry, and say what to look at.')
    .option(
      '--rate <traces>',
      'traces per second, each of about 7 spans and 3 log records',
      positiveNumber(1000),
      5,
    )
    .option('--for <seconds>', 'stop by itself after this time', positiveNumber(86_400))
  return addSettings(command).addHelpText('after', EXAMPLES).action(quickstart)
}

async function quickstart(flags: QuickstartFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  const { settings } = loaded
  const status = new StatusLine(process.stderr)
  const logger = createLogger({ level: settings.logLevel, pretty: true, write: (line) => status.print(line) })
  await runCommand(settings, async (context) => {
    const started = await startWithServers({ ...context, loaded, roles: ['ingest', 'api'], logger })
    await showDemo({ ...context, settings, started, flags, status, logger })
  })
  const isEmbedded = settings.databaseUrl === undefined || settings.redisUrl === undefined
  const folder = resolve(settings.dataDir)
  status.print(
    `Stopped.${isEmbedded ? ` The data stays in ${folder}; the next start goes on with it.` : ''}\n`,
  )
}

interface Demo extends RunContext {
  readonly settings: Settings
  readonly started: StartedService
  readonly flags: QuickstartFlags
  readonly status: StatusLine
  readonly logger: Logger
}

/** Sends the workload and tells how it goes, until told to stop or the time is over. */
async function showDemo(demo: Demo): Promise<void> {
  const { settings, started, flags, status, logger, stopping, releasers } = demo
  const producer = createProducer({
    url: started.redisUrl,
    streamPrefix: settings.streamPrefix,
    onError: (error) => logger.warn({ err: error }, 'the workload waits for Redis'),
  })
  // Before the service stops, so that what it adds at last is not left for the next start.
  releasers.defer('workload', () => producer.close())
  const failed = new AbortController()
  const timeLimit = flags.for === undefined ? [] : [AbortSignal.timeout(flags.for * 1000)]
  const signal = AbortSignal.any([stopping, failed.signal, ...timeLimit])
  try {
    await Promise.all([
      runDemo(producer, { signal, tracesPerSecond: flags.rate }),
      tellRows({
        service: started.service,
        status,
        signal,
        guide: whatToLookAt({ settings, ...started }),
      }),
    ])
  } finally {
    failed.abort()
    status.end()
    status.print('Stopping: the workload first, then what was read is committed and acknowledged.\n')
  }
}
