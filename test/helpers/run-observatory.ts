import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'

/** The built command line, as `npx observatory` runs it. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))

export interface RunOptions extends Pick<SpawnOptions, 'cwd' | 'detached'> {
  /** The whole environment, beside what Node.js and a shell need. */
  readonly env?: Readonly<Record<string, string>>
  /** Standard input; none by default. */
  readonly input?: string
  /** Of standard output: `latin1` for bytes. */
  readonly encoding?: BufferEncoding
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs, and what it has written so far. */
export class RunningCommand {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { env, input, encoding = 'utf8', ...options }: RunOptions = {}) {
    this.child = spawn(process.execPath, [LAUNCHER, ...args], {
      ...options,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    })
    this.child.stdin?.end(input)
    this.child.stdout?.setEncoding(encoding).on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.finished = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  /** Waits for a text on standard error. */
  async says(text: string | RegExp, timeoutMs = 60_000): Promise<void> {
    await eventually(() => expect(this.stderr).toMatch(text), { timeoutMs })
  }

  /** For a hook: it is gone when this resolves. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.finished
  }
}

/** Runs a command to its end. */
export function runObservatory(args: readonly string[], options?: RunOptions): Promise<Finished> {
  return new RunningCommand(args, options).finished
}
