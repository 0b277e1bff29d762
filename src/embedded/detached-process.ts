import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, rename, stat } from 'node:fs/promises'
import { identifyProcess, type ProcessIdentity } from '../process-identity.ts'

/** A log file longer than this is put aside as `<name>.1` at the next start, in place of the one before. */
const LOG_MAX_BYTES = 1024 * 1024
const TAIL_BYTES = 2000

export interface DetachedProcessOptions {
  /** Takes stdout and stderr, appended. */
  readonly logFile: string
  readonly cwd: string
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

export interface DetachedProcess {
  readonly identity: ProcessIdentity
  /** Settles when the process is gone, with its exit code (null when a signal ended it). */
  readonly exited: Promise<number | null>
  hasExited(): boolean
  /** Lets this process end before that one: from here on its owner is servers.json, and the last user ends it. */
  release(): void
  /** The last lines that this process logged. */
  logTail(): Promise<string>
}

/**
 * Starts a program in a session of its own, so that Ctrl-C in the terminal does not reach it, with an environment of
 * nothing but the C locale: servers get none of the caller's variables (PGPORT would steer, keys would leak).
 *
 * @throws the system's error when the program cannot be started.
 */
export async function spawnDetached(
  command: readonly [string, ...string[]],
  options: DetachedProcessOptions,
): Promise<DetachedProcess> {
  const { logFile, cwd, uid, gid } = options
  await rotate(logFile)
  const log = await open(logFile, 'a', 0o600)
  const logStart = (await log.stat()).size
  try {
    const [program, ...args] = command
    const child = spawn(program, args, {
      cwd,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
      ...(uid === undefined ? {} : { uid, gid }),
    })
    await once(child, 'spawn')
    let ended = false
    const exited = new Promise<number | null>((resolve) => {
      child.once('exit', (code) => {
        ended = true
        resolve(code)
      })
    })
    const pid = child.pid ?? 0
    const identity = identifyProcess(pid) ?? { pid, start: 'ended' }
    return {
      identity,
      exited,
      hasExited: () => ended,
      release: () => child.unref(),
      logTail: () => readTail(logFile, logStart),
    }
  } finally {
    await log.close()
  }
}

async function rotate(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  )
  if (size > LOG_MAX_BYTES) await rename(logFile, `${logFile}.1`)
}

async function readTail(logFile: string, from: number): Promise<string> {
  const file = await open(logFile, 'r')
  try {
    const { size } = await file.stat()
    const start = Math.max(from, size - TAIL_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start)
    return buffer.toString('utf8', 0, bytesRead).trim()
  } finally {
    await file.close()
  }
}
