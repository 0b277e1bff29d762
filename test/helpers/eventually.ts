import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

/**
 * Tries the assertion until it no longer throws, and gives back what it returns.
 *
 * @throws what the assertion threw last, once `timeoutMs` (10 s) is over.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await assertion()
    } catch (error) {
      if (Date.now() >= deadline) throw error
      await sleep(POLL_MS)
    }
  }
}
