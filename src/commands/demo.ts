import { Command } from 'commander'
import { loadSettings } from '../config.ts'
import { runDemo } from '../demo/run-demo.ts'
import { createLogger } from '../logger.ts'
import { createProducer } from '../producer.ts'
import { describeRedis } from '../redis-url.ts'
import { waitForRedis } from '../wait-for-redis.ts'
import { positiveNumber } from './positive-number.ts'
import { runCommand } from './run-command.ts'
import { findServers, notRunning } from './servers.ts'
import { addSettings } from './setting-flags.ts'

const EXAMPLES = `
For a service that runs elsewhere; "observatory quickstart" starts one and sends the same.
Ctrl-C ends it. Starts no server.

Examples:
  observatory demo
  REDIS_URL=redis://127.0.0.1:6379 observatory demo --rate 50 --for 60`

interface DemoFlags {
  readonly rate: number
  readonly for?: number
}

/** `observatory demo`: the made-up telemetry of quickstart, into the streams of any Redis. */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Send live made-up LLM telemetry to a Redis that runs.')
    .option(
      '--rate <traces>',
      'traces per second, each of about 7 spans and 3 log records',
      positiveNumber(1000),
      5,
    )
    .option('--for <seconds>', 'stop by itself after this time', positiveNumber(86_400))
  return addSettings(command, [
    'redisUrl',
    'dataDir',
    'startupTimeoutMs',
    'streamPrefix',
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(demo)
}

async function demo(flags: DemoFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  const { settings } = loaded
  const logger = createLogger({ level: settings.logLevel })
  await runCommand(settings, async ({ stopping, releasers }) => {
    const { redisUrl } = await findServers(loaded, { releasers, log: (line) => logger.info(line) })
    if (redisUrl === undefined) throw notRunning(settings, 'Redis')
    await waitForRedis({
      url: redisUrl,
      timeoutMs: settings.startupTimeoutMs,
      signal: stopping,
      log: logger,
    })
    const producer = createProducer({
      url: redisUrl,
      streamPrefix: settings.streamPrefix,
      onError: (error) => logger.warn({ err: error }, 'the workload waits for Redis'),
    })
    releasers.defer('workload', () => producer.close())
    logger.info({ redis: describeRedis(redisUrl), tracesPerSecond: flags.rate }, 'sending made-up telemetry')
    const timeLimit = flags.for === undefined ? [] : [AbortSignal.timeout(flags.for * 1000)]
    await runDemo(producer, {
      signal: AbortSignal.any([stopping, ...timeLimit]),
      tracesPerSecond: flags.rate,
    })
  })
}
