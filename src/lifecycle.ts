import { setTimeout as delay } from 'node:timers/promises'

/** Gives one resource back. Called at most once. */
export type Release = () => unknown

/** What a running program has open, in the order it was opened. */
export interface Releasers {
  /**
   * Registers what gives `name` back. Once the release has begun nothing can be kept, so a resource that
   * is added late (a start that was overtaken by a stop) is given back at once.
   */
  defer(name: string, release: Release): void
  /** The names of what is not given back yet, last opened first. */
  stillOpen(): readonly string[]
  /**
   * Gives everything back, last opened first, one after the other. Every release runs even when one before
   * it failed; the first error is thrown at the end. Calling it again returns the same promise.
   */
  release(): Promise<void>
}

/** Creates an empty list of {@link Releasers}. */
export function createReleasers(): Releasers {
  const open: { readonly name: string; readonly release: Release }[] = []
  const errors: unknown[] = []
  let released: Promise<void> | undefined

  const releaseAll = async (): Promise<void> => {
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      try {
        await last.release()
      } catch (error) {
        errors.push(error)
      }
      // Removed only now, so that stillOpen() names the one that hangs.
      open.splice(open.indexOf(last), 1)
    }
    if (errors.length > 0) throw errors[0]
  }

  return {
    defer(name, release) {
      open.push({ name, release })
      if (released === undefined) return
      const late = released.catch(() => undefined).then(releaseAll)
      late.catch(() => undefined)
      released = late
    },
    stillOpen: () => open.map((resource) => resource.name).reverse(),
    release() {
      released ??= releaseAll()
      return released
    },
  }
}

/**
 * Runs `use` and gives back, last opened first, whatever it deferred, however it ends. The first error is
 * the one thrown: an error of `use` hides the errors of the releases that follow it.
 */
export async function withReleasers<T>(use: (releasers: Releasers) => Promise<T>): Promise<T> {
  const releasers = createReleasers()
  let result: T
  try {
    result = await use(releasers)
  } catch (error) {
    await releasers.release().catch(() => undefined)
    throw error
  }
  await releasers.release()
  return result
}

export interface RunContext {
  /** Aborted by the first SIGTERM or SIGINT. Its reason is a {@link StopRequested}. */
  readonly stopping: AbortSignal
  readonly releasers: Releasers
}

export interface RunOptions {
  /** Milliseconds from the first signal until the process gives up waiting and exits 1. */
  readonly shutdownTimeoutMs: number
  /** Takes the one line that says why the process ends before everything is closed. Must write at once. */
  readonly writeLine: (line: string) => void
}

/** Why `stopping` was aborted: somebody asked the process to end. Not a failure. */
export class StopRequested extends Error {
  constructor(signalName: string) {
    super(`stopped by ${signalName}`)
    this.name = 'StopRequested'
  }
}

/** npm runs scripts through a shell and passes a Ctrl-C on that the terminal has sent to the program already: two, about 1 ms apart. */
const SAME_SIGNAL_MS = 100

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** 128 + the signal's number, as a shell reports a process that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs a program until it ends by itself or a signal asks it to.
 *
 *     running ── first signal ──▶ stopping ── run returned, all released ──▶ returns
 *        │                           ├── second signal ──▶ exit 130 (SIGINT) or 143 (SIGTERM), at once;
 *        │                           │                     within 100 ms it is the first one, delivered twice
 *        │                           └── shutdownTimeoutMs ──▶ exit 1, naming what was still open
 *        └── run returns or throws ──▶ all released ──▶ returns or throws
 *
 * `run` defers what it opens and returns when `stopping` is aborted and its work is drained. The signal
 * handlers are there only while it runs. Ending by `process.exit` is safe at every point: nothing is
 * acknowledged before it is committed.
 */
export async function runUntilSignal(
  run: (context: RunContext) => Promise<void>,
  options: RunOptions,
): Promise<void> {
  const stopping = new AbortController()
  const releasers = createReleasers()
  let deadline: NodeJS.Timeout | undefined
  let stoppedAtMs = 0

  const giveUp = (): never => {
    const open = releasers.stillOpen().join(', ') || 'unfinished work'
    options.writeLine(`not stopped after ${options.shutdownTimeoutMs} ms, still open: ${open}; exiting`)
    process.exit(1)
  }
  const onSignal = (signalName: 'SIGINT' | 'SIGTERM'): void => {
    if (stopping.signal.aborted) {
      if (performance.now() - stoppedAtMs < SAME_SIGNAL_MS) return
      process.exit(EXIT_CODES[signalName])
    }
    deadline = setTimeout(giveUp, options.shutdownTimeoutMs)
    stopping.abort(new StopRequested(signalName))
    stoppedAtMs = performance.now()
  }

  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // Waiting for a signal does not by itself keep Node.js running.
  const keepRunning = setInterval(() => undefined, LONGEST_TIMER_MS)
  try {
    await runAndRelease(run, { stopping: stopping.signal, releasers })
  } finally {
    clearInterval(keepRunning)
    clearTimeout(deadline)
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function runAndRelease(
  run: (context: RunContext) => Promise<void>,
  context: RunContext,
): Promise<void> {
  try {
    await run(context)
  } catch (error) {
    // A wait that was cut short by the stop throws the stop's own reason: that is an orderly end.
    if (!context.stopping.aborted || error !== context.stopping.reason) {
      await context.releasers.release().catch(() => undefined)
      throw error
    }
  }
  await context.releasers.release()
}

/** Resolves when `signal` is aborted; at once if it already is. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Waits `ms` milliseconds. Rejects with `signal.reason` as soon as `signal` is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

const BACKOFF_BASE_MS = 100
const BACKOFF_CAP_MS = 10_000

/**
 * How long to wait before retry number `attempt` (0 is the first), in milliseconds: "full jitter",
 * a uniform random time below an exponential ceiling, so that workers that failed together do not come
 * back together (Brooker, "Exponential Backoff And Jitter", AWS 2015).
 */
export function backoffMs(attempt: number): number {
  // Ceilings (ms): 100, 200, 400, 800, 1600, 3200, 6400, then 10000 for ever. On average half of it.
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 30))
  return Math.floor(Math.random() * ceiling)
}
