import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { joinServers } from '../embedded/servers.ts'
import { commandLineOf, identifyProcess, waitUntilGone } from '../process-identity.ts'

const NAME = 'end-unused-servers'
/** A process that has begun to exit is gone long before. */
const EXIT_TIMEOUT_MS = 10_000
/** A person's Ctrl-C hits once, if at all. */
const MOST_ATTEMPTS = 20

/**
 * Sees to it that embedded servers do not outlive a process that ends without leaving them: by a second Ctrl-C, at the
 * deadline of its stop, by an uncaught error. Nothing can wait at that point, so a process of its own comes after this one and
 * stops what nobody uses any more. Only SIGKILL leaves servers behind; they end when the next one leaves them.
 *
 * @returns what takes this back once the servers were left.
 */
export function endServersAfterExit(dataDir: string): () => void {
  const onExit = (): void => {
    const [, program = ''] = process.argv
    const args = [...process.execArgv, program, NAME, resolve(dataDir), String(process.pid)]
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const child = spawn(process.execPath, args, { detached: true, stdio: 'ignore' })
      child.unref()
      // Until it has a session of its own, a Ctrl-C ends it like any process of this group; one that is ending has no command line any more.
      if (child.pid !== undefined && commandLineOf(child.pid) !== '') return
    }
  }
  process.once('exit', onExit)
  return () => void process.off('exit', onExit)
}

/** The command that {@link endServersAfterExit} starts. Not for people: help does not show it. */
export function endUnusedServersCommand(): Command {
  return new Command(NAME)
    .description('Stop the embedded servers of a folder that nobody uses any more.')
    .argument('<folder>', 'data folder')
    .argument('<pid>', 'process to wait for')
    .action(async (dataDir: string, pid: string) => {
      const leaving = identifyProcess(Number(pid))
      if (leaving !== undefined) await waitUntilGone(leaving, EXIT_TIMEOUT_MS)
      // Joining would make it.
      if (!existsSync(dataDir)) return
      const servers = await joinServers({ dataDir, postgres: false, redis: false })
      await servers.leave()
    })
}
