import { Command } from 'commander'
import { tellOutputGone } from './commands/output-gone.ts'
import { EXIT_FAILED, reportError } from './commands/report-error.ts'
import { codeOf } from './errors.ts'
import { ownVersion } from './own-version.ts'

/** In the order of help. A command is loaded when it is asked for: what the others need would take most of the time that a short one takes. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  quickstart: async () => (await import('./commands/quickstart.ts')).quickstartCommand(),
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  send: async () => (await import('./commands/send.ts')).sendCommand(),
  query: async () => (await import('./commands/query.ts')).queryCommand(),
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  tail: async () => (await import('./commands/tail.ts')).tailCommand(),
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  'dead-letters': async () => (await import('./commands/dead-letters.ts')).deadLettersCommand(),
  retention: async () => (await import('./commands/retention.ts')).retentionCommand(),
  audit: async () => (await import('./commands/audit.ts')).auditCommand(),
  rewind: async () => (await import('./commands/rewind.ts')).rewindCommand(),
  archive: async () => (await import('./commands/archive.ts')).archiveCommand(),
  erase: async () => (await import('./commands/erase.ts')).eraseCommand(),
  reprice: async () => (await import('./commands/reprice.ts')).repriceCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  bench: async () => (await import('./commands/bench.ts')).benchCommand(),
}

/** Started by the program itself, and not shown. */
const INTERNAL_COMMANDS: typeof COMMANDS = {
  'end-unused-servers': async () =>
    (await import('./commands/end-servers-after-exit.ts')).endUnusedServersCommand(),
}

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
  try {
    const program = await createProgram(argv[2])
    program.hook('preAction', (_program, command) => {
      flags = command.opts()
    })
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = reportError(error, flags)
  }
}

/** @param word the first argument: of a program that is told its command, the others are left out. */
async function createProgram(word: string | undefined): Promise<Command> {
  const program = new Command('observatory')
    .description('Streaming telemetry store for LLM applications: Redis Streams to PostgreSQL, exactly once.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError(helpHint())
    // commander throws instead of ending the process.
    .exitOverride()
  for (const create of wanted(word)) {
    const command = (await create()).copyInheritedSettings(program)
    program.addCommand(command.showHelpAfterError(helpHint(command.name())))
    for (const part of command.commands) {
      part.copyInheritedSettings(program).showHelpAfterError(helpHint(`${command.name()} ${part.name()}`))
    }
  }
  return program
}

function wanted(word = ''): readonly (() => Promise<Command>)[] {
  if (word === '--version' || word === '-V') return []
  const all = { ...COMMANDS, ...INTERNAL_COMMANDS }
  const create = Object.hasOwn(all, word) ? all[word] : undefined
  return create === undefined ? Object.values(COMMANDS) : [create]
}

function helpHint(command?: string): string {
  const name = command === undefined ? 'observatory' : `observatory ${command}`
  return `(${name} --help shows what there is)`
}

function watchProcess(flags: () => Readonly<Record<string, unknown>>): void {
  // Whoever read the output has seen enough (`| head`): that is no failure.
  process.stdout.on('error', (error) => {
    const isGone = codeOf(error) === 'EPIPE'
    // A query is called off in its server first; its command then ends.
    if (isGone && tellOutputGone()) return
    process.exit(isGone ? undefined : reportError(error, flags()))
  })
  // A terminal that is gone takes nothing more; what is being stopped is stopped all the same.
  process.stderr.on('error', () => undefined)
  // Node.js would print all properties of the error, which can hold a password or a record.
  process.once('uncaughtException', (error) => {
    reportError(error, flags())
    process.exit(EXIT_FAILED)
  })
}
