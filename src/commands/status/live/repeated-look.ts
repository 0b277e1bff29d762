import { messageOf } from '../../../errors.ts'
import { sleep } from '../../../lifecycle.ts'
import { maskSecrets } from '../../../mask-secrets.ts'

/** What was seen last, and what is in the way of seeing it now. */
export interface Looked<T> {
  readonly value: T | undefined
  /** Why the last look failed; undefined when it did not. */
  readonly problem: string | undefined
  /** When `value` was seen, in unix milliseconds. */
  readonly atMs: number
}

export const NOT_LOOKED: Looked<never> = { value: undefined, problem: undefined, atMs: 0 }

export interface RepeatedLookOptions<T> {
  readonly look: () => Promise<T>
  readonly intervalMs: number
  readonly signal: AbortSignal
  readonly onLook: (looked: Looked<T>) => void
}

/** A look that takes longer than the interval is followed by the next one after this. */
const MIN_PAUSE_MS = 100

/** Looks again and again, whatever becomes of each look, until `signal` is aborted. Nothing but the last look is kept. */
export async function repeatLook<T>(options: RepeatedLookOptions<T>): Promise<void> {
  const { look, intervalMs, signal, onLook } = options
  let last: Looked<T> = NOT_LOOKED
  while (!signal.aborted) {
    const startedAt = performance.now()
    try {
      last = { value: await look(), problem: undefined, atMs: Date.now() }
    } catch (error) {
      last = { ...last, problem: maskSecrets(messageOf(error)) || 'no answer' }
    }
    if (signal.aborted) return
    onLook(last)
    await sleep(Math.max(MIN_PAUSE_MS, intervalMs - (performance.now() - startedAt)), signal).catch(
      () => undefined,
    )
  }
}

/** @throws Error when `work` has not ended within `ms`; what becomes of it then is not looked at. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not answer within ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
