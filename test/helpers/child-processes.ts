import { readdirSync, readFileSync } from 'node:fs'

/** The processes that this one started and that still run, a line each; none where there is no /proc. */
export function childProcesses(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isRunningChild(name))
    .map((pid) => `child process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
}

/** proc(5): after the command in parentheses come the state and the parent's pid. */
function isRunningChild(pid: string): boolean {
  const stat = read(`/proc/${pid}/stat`)
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return parent === String(process.pid) && state !== 'Z' && state !== 'X'
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
