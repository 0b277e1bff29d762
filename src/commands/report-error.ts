import { CommanderError } from 'commander'
import { loadSettings } from '../config.ts'
import { messageOf, ObservatoryError } from '../errors.ts'
import { maskSecrets } from '../mask-secrets.ts'

/** What scripts see: 0 fine, 1 failed, 2 the command line or a setting is wrong. */
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

/**
 * Says on standard error what went wrong, with the stack only for LOG_LEVEL=debug or trace.
 *
 * @param flags of the command that ran, for LOG_LEVEL.
 * @returns the exit code.
 */
export function reportError(error: unknown, flags: Readonly<Record<string, unknown>> = {}): number {
  // commander has said it already, or it is no error: help and version end this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  const known = error instanceof ObservatoryError
  const hint = known || isDebugging(flags) ? '' : ' (LOG_LEVEL=debug shows where)'
  process.stderr.write(`error: ${maskSecrets(messageOf(error))}${hint}\n`)
  if (isDebugging(flags)) process.stderr.write(maskSecrets(stacksOf(error)))
  return known && (error.code === 'ERR_CONFIG_INVALID' || error.code === 'ERR_USAGE')
    ? EXIT_USAGE
    : EXIT_FAILED
}

function isDebugging(flags: Readonly<Record<string, unknown>>): boolean {
  try {
    const { logLevel } = loadSettings({ flags }).settings
    return logLevel === 'debug' || logLevel === 'trace'
  } catch {
    return false
  }
}

const MAX_CAUSES = 5

/** The stacks of an error and its causes. Never their other properties, which can hold records and passwords. */
function stacksOf(error: unknown): string {
  const stacks: string[] = []
  for (let each = error; each instanceof Error && stacks.length < MAX_CAUSES; each = each.cause) {
    stacks.push(`${each.stack ?? each.message}\n`)
  }
  return stacks.join('caused by ')
}
