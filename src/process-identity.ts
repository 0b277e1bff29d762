import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A process that cannot be mistaken for a later one with the same pid: `start` is the kernel's start time of the
 * process (and which boot of the machine that was), as far as the platform tells.
 */
export interface ProcessIdentity {
  readonly pid: number
  readonly start: string
}

const POLL_MS = 20

/** Who runs under `pid` now, or undefined when nobody does; a zombie is nobody. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const start = process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
  return start === undefined ? undefined : { pid, start }
}

/** This very process. */
export function ownIdentity(): ProcessIdentity {
  return identifyProcess(process.pid) ?? { pid: process.pid, start: '' }
}

/** Whether that process, and not just some process with its pid, still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.start === identity.start
}

/** The command line of a process, its arguments separated by spaces; empty when it cannot be told. */
export function commandLineOf(pid: number): string {
  try {
    if (process.platform !== 'linux') return ps(pid, ['-o', 'command='])
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

/** The working folder of a process, or undefined where the platform does not tell. */
export function workingFolderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** Waits until the process is gone. False when it still runs after `timeoutMs`. */
export async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (isRunning(identity)) {
    if (Date.now() > deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

/** proc(5): after the command in parentheses come the state (field 3) and the start time in ticks (field 22). */
function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
    return `${fields[19]}@${boot}`
  } catch {
    return undefined
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const [state, ...start] = ps(pid, ['-o', 'stat=', '-o', 'lstart=']).split(/\s+/)
    return state === undefined || state === '' || state.startsWith('Z') ? undefined : start.join('_')
  } catch {
    return undefined
  }
}

function ps(pid: number, columns: readonly string[]): string {
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
  return execFileSync('/bin/ps', [...columns, '-p', String(pid)], { encoding: 'utf8', stdio }).trim()
}
