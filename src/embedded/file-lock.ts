import { lstat, readlink, symlink, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, ObservatoryError } from '../errors.ts'
import { isRunning, ownIdentity, type ProcessIdentity } from '../process-identity.ts'

const POLL_MS = 25

/**
 * Runs `work` while no other process is inside the same lock, and gives back what it returns.
 *
 * The lock is a symbolic link whose target names its owner: one system call makes it with its content, so that
 * a crash never leaves a lock without an owner. The lock of a dead owner is removed by whoever meets it, under a lock
 * of its own on `<path>.dead`: two who meet it at once cannot remove each other's fresh lock. (Should
 * that one crash too, the same holds one level further.)
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when a living owner keeps the lock longer than `timeoutMs`.
 */
export async function withFileLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs
  while (!(await tryLock(path))) {
    const owner = await ownerOf(path)
    if (owner === 'nobody') continue
    if (owner === 'unknown' || !isRunning(owner)) await removeDead(path, deadline)
    else if (Date.now() > deadline) throw lockTimeout(path, owner)
    else await sleep(POLL_MS)
  }
  try {
    return await work()
  } finally {
    await unlink(path)
  }
}

async function removeDead(path: string, deadline: number): Promise<void> {
  await withFileLock(`${path}.dead`, Math.max(deadline - Date.now(), 0), async () => {
    const owner = await ownerOf(path)
    if (owner === 'nobody' || (owner !== 'unknown' && isRunning(owner))) return
    await unlink(path)
  })
}

async function tryLock(path: string): Promise<boolean> {
  const { pid, start } = ownIdentity()
  try {
    await symlink(`${pid}:${start}`, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** `unknown` is something that no version of this program made: it has no owner who could ever remove it. */
async function ownerOf(path: string): Promise<ProcessIdentity | 'nobody' | 'unknown'> {
  try {
    const [, pid, start] = /^(\d{1,10}):(.+)$/.exec(await readlink(path)) ?? []
    return pid === undefined || start === undefined ? 'unknown' : { pid: Number(pid), start }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nobody'
    if (codeOf(error) === 'EINVAL' && (await lstat(path)).isFile()) return 'unknown'
    throw error
  }
}

function lockTimeout(path: string, owner: ProcessIdentity): ObservatoryError {
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The process ${owner.pid} is starting or stopping the embedded servers and has not finished: ${path} is still ` +
      'its lock. Wait for it, or end it and try again',
  )
}
