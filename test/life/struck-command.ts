import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Random } from '../../src/demo/random.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))
/** Exit code 1 of a run that has left something to the next one. */
const RUNS_MAX = 10

export interface StruckCommand {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** How often it is killed before it may end. */
  readonly kills: number
  readonly random: Random
  /** After half a second, at most. */
  readonly killWithinMs: number
  readonly afterKill: () => Promise<void>
  readonly tell: (line: string) => void
}

export interface CommandRun {
  readonly stdout: string
  /** Of the last run. */
  readonly seconds: number
}

/** Starts a command, and kills it (SIGKILL) at a moment drawn from the seed, as often as it is told. @returns how often it was killed before it was done. */
export async function strike(command: StruckCommand): Promise<number> {
  const { args, kills, random, killWithinMs, afterKill, tell } = command
  let killed = 0
  for (let n = 0; n < kills; n += 1) {
    const afterMs = 500 + random.between(0, killWithinMs)
    const { signal } = await run(command, afterMs)
    if (signal !== 'SIGKILL') {
      tell(`observatory ${args.join(' ')} was done before the kill after ${Math.round(afterMs)} ms`)
      continue
    }
    killed += 1
    tell(`killed observatory ${args.slice(0, 2).join(' ')} after ${Math.round(afterMs)} ms`)
    await afterKill()
  }
  return killed
}

/** Runs a command until it has nothing left to do. */
export async function runToEnd(command: Pick<StruckCommand, 'args' | 'env'>): Promise<CommandRun> {
  let lastWords = ''
  for (let n = 0; n < RUNS_MAX; n += 1) {
    const { code, stdout, stderr, seconds } = await run(command)
    if (code === 0) return { stdout, seconds }
    lastWords = stderr
  }
  throw new Error(`observatory ${command.args.join(' ')} did not succeed: ${lastWords}`)
}

async function run({ args, env }: Pick<StruckCommand, 'args' | 'env'>, killAfterMs?: number) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr = (output.stderr + text).slice(-4000)
  })
  const stopKiller = new AbortController()
  if (killAfterMs !== undefined)
    sleep(killAfterMs, undefined, { signal: stopKiller.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    )
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  stopKiller.abort()
  return { ...output, code, signal, seconds: (performance.now() - startedAt) / 1000 }
}
