import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const USUAL_TICKS_PER_SECOND = 100

/** Of processor time, as /proc counts it. */
export async function ticksPerSecond(): Promise<number> {
  const { stdout } = await promisify(execFile)('getconf', ['CLK_TCK']).catch(() => ({ stdout: '' }))
  return Number(stdout) || USUAL_TICKS_PER_SECOND
}

/** proc(5): fields of /proc/pid/stat from the third (state) on, those after the command in parentheses. */
function readStat(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** The process that started a process; undefined without /proc, or when it is gone. */
export function parentOf(pid: number): number | undefined {
  const parent = readStat(pid)?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/** Its own ticks (utime and stime); undefined without /proc, or when it is gone. */
export function ownTicks(pid: number): number | undefined {
  const stat = readStat(pid)
  return stat === undefined ? undefined : Number(stat[11]) + Number(stat[12])
}

/** Those of children that ended and were waited for (cutime and cstime). */
export function waitedForTicks(pid: number): number | undefined {
  const stat = readStat(pid)
  return stat === undefined ? undefined : Number(stat[13]) + Number(stat[14])
}

/** The processes that a process has started and that are still there. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(Number(name)) === pid)
    .map(Number)
}
