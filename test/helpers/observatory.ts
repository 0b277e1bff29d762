import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))

/**
 * Starts the built command line (`npm test` builds it first) in a process of its own, with nothing of this one's environment but what
 * Node.js needs.
 */
export function observatory(args: readonly string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [LAUNCHER, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** Ends the process by a signal. @returns its exit code, or null when the signal itself ended it. */
export async function endWith(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit') as Promise<[number | null]>
  child.kill(signal)
  const [code] = await exited
  return code
}
