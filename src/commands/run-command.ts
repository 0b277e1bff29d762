import { writeSync } from 'node:fs'
import { type RunContext, runUntilSignal } from '../lifecycle.ts'
import type { Settings } from '../settings.ts'

/**
 * Runs a command until it ends or a signal stops it, as `runUntilSignal` does. A terminal that is closed stops it, too; where
 * standard error is no terminal, SIGHUP keeps its meaning, which `nohup` changes to none.
 */
export async function runCommand(
  { shutdownTimeoutMs }: Settings,
  run: (context: RunContext) => Promise<void>,
): Promise<void> {
  const onHangUp = (): void => void process.kill(process.pid, 'SIGTERM')
  if (process.stderr.isTTY) process.on('SIGHUP', onHangUp)
  try {
    await runUntilSignal(run, { shutdownTimeoutMs, writeLine })
  } finally {
    process.off('SIGHUP', onHangUp)
  }
}

/** Written at once, since the process exits right after; a closed standard error must not keep it from that. */
function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`)
  } catch {}
}
