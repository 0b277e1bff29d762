import { setTimeout as sleep } from 'node:timers/promises'

/** Thrown when something did not happen in time: a finding about the product, not about the campaign. */
export class DeadlineMissed extends Error {}

const POLL_MS = 50

export interface WaitOptions {
  readonly what: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Said beside the failure: what to look at. */
  readonly hint?: () => string | Promise<string>
}

/** Asks until the answer is not undefined. @throws DeadlineMissed; the signal's reason when it aborts. */
export async function waitFor<T>(ask: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const { what, timeoutMs, signal, hint } = options
  const deadline = performance.now() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) {
      const more = (await hint?.()) ?? ''
      throw new DeadlineMissed(`${what} did not happen within ${timeoutMs / 1000} s. ${more}`)
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** Waits; ends early with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal })
}
