import { Command, Option } from 'commander'
import { formatSettings, loadSettings } from '../config.ts'
import { untilAborted } from '../lifecycle.ts'
import { createLogger } from '../logger.ts'
import type { Role } from '../service.ts'
import { runCommand } from './run-command.ts'
import { addSettings } from './setting-flags.ts'
import { startWithServers } from './start-with-servers.ts'

const ROLES: readonly Role[] = ['ingest', 'api']

const EXAMPLES = `
Pending migrations are applied at start. The first SIGTERM or SIGINT stops
reading, commits and acknowledges what was read, and exits with 0; a second one
exits at once, with nothing lost.

Examples:
  observatory serve
  observatory serve --database-url-file /run/secrets/db --http-host 0.0.0.0
  observatory serve --only ingest --http-port 9464
  observatory serve --print-config`

interface ServeFlags {
  readonly only?: Role
  readonly printConfig?: boolean
}

/** `observatory serve`: runs the service until it is asked to stop. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Run the service: ingest the streams, keep the tables, answer HTTP.')
    .addOption(
      new Option('--only <role>', 'one role: api (all of HTTP) or ingest (consumers, maintenance)').choices(
        ROLES,
      ),
    )
    .option('--print-config', 'show every setting and where it comes from, passwords masked, and exit')
  return addSettings(command).addHelpText('after', EXAMPLES).action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  if (flags.printConfig) {
    process.stdout.write(formatSettings(loaded))
    return
  }
  const roles = flags.only === undefined ? ROLES : [flags.only]
  const logger = createLogger({ level: loaded.settings.logLevel })
  await runCommand(loaded.settings, async (context) => {
    await startWithServers({ ...context, loaded, roles, logger })
    await untilAborted(context.stopping)
    logger.info(`${context.stopping.reason.message}: committing and acknowledging what was read`)
  })
  logger.info('stopped')
}
