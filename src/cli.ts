import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { auditCommand } from './commands/audit.ts'
import { benchCommand } from './commands/bench.ts'
import { deadLettersCommand } from './commands/dead-letters.ts'
import { doctorCommand } from './commands/doctor.ts'
import { endUnusedServersCommand } from './commands/end-servers-after-exit.ts'
import { migrateCommand } from './commands/migrate.ts'
import { quickstartCommand } from './commands/quickstart.ts'
import { EXIT_FAILED, reportError } from './commands/report-error.ts'
import { rewindCommand } from './commands/rewind.ts'
import { sendCommand } from './commands/send.ts'
import { serveCommand } from './commands/serve.ts'
import { statusCommand } from './commands/status.ts'
import { codeOf } from './errors.ts'

/** In the order of help. */
const COMMANDS: readonly (() => Command)[] = [
  quickstartCommand,
  serveCommand,
  sendCommand,
  migrateCommand,
  statusCommand,
  deadLettersCommand,
  auditCommand,
  rewindCommand,
  doctorCommand,
  benchCommand,
]

const EXAMPLES = `
Settings: flags over environment over observatory.yaml or .toml over defaults.
Without DATABASE_URL or REDIS_URL a server is embedded, its data in .observatory.
Exit codes: 0 fine, 1 failed, 2 wrong usage or a wrong setting.

Examples:
  observatory quickstart
  DATABASE_URL=postgresql://me@db/telemetry REDIS_URL=redis://cache observatory serve
  redis-cli XADD telemetry:logs '*' service api level error message boom`

/**
 * Runs the command line. Data goes to standard output, all else to standard error. Sets `process.exitCode`: 0 fine, 1 failed,
 * 2 wrong usage or a wrong setting; the process ends when nothing is left open.
 *
 * @param argv as in `process.argv`: the arguments begin at the third.
 */
export async function main(argv: readonly string[]): Promise<void> {
  let flags: Readonly<Record<string, unknown>> = {}
  watchProcess(() => flags)
  const program = createProgram().hook('preAction', (_program, command) => {
    flags = command.opts()
  })
  try {
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = reportError(error, flags)
  }
}

function createProgram(): Command {
  const program = new Command('observatory')
    .description('Streaming telemetry store for LLM applications: Redis Streams to PostgreSQL, exactly once.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError(helpHint())
    // commander throws instead of ending the process.
    .exitOverride()
  for (const create of COMMANDS) {
    const command = create().copyInheritedSettings(program)
    program.addCommand(command.showHelpAfterError(helpHint(command.name())))
    for (const part of command.commands) {
      part.copyInheritedSettings(program).showHelpAfterError(helpHint(`${command.name()} ${part.name()}`))
    }
  }
  const internal = endUnusedServersCommand().copyInheritedSettings(program)
  return program.addCommand(internal, { hidden: true })
}

function helpHint(command?: string): string {
  const name = command === undefined ? 'observatory' : `observatory ${command}`
  return `(${name} --help shows what there is)`
}

/** package.json stands one level above both `src/` and `dist/`. */
function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function watchProcess(flags: () => Readonly<Record<string, unknown>>): void {
  // Whoever read the output has seen enough (`| head`): that is no failure.
  process.stdout.on('error', (error) => {
    if (codeOf(error) === 'EPIPE') process.exit()
    process.exit(reportError(error, flags()))
  })
  // A terminal that is gone takes nothing more; what is being stopped is stopped all the same.
  process.stderr.on('error', () => undefined)
  // Node.js would print all properties of the error, which can hold a password or a record.
  process.once('uncaughtException', (error) => {
    reportError(error, flags())
    process.exit(EXIT_FAILED)
  })
}
