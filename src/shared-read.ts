import { sleep } from './lifecycle.ts'

/**
 * A reading for probes and scrapes, however many come at once: those that ask while one runs share it, and nobody waits for it longer
 * than `timeoutMs`. Then, the answer is undefined, and the reading stays the shared one until it ends by itself.
 */
export function sharedRead<T>(read: () => Promise<T>, timeoutMs: number): () => Promise<T | undefined> {
  let running: Promise<T> | undefined
  return async () => {
    running ??= read().finally(() => {
      running = undefined
    })
    const answered = new AbortController()
    try {
      return await Promise.race([running, sleep(timeoutMs, answered.signal).then(() => undefined)])
    } finally {
      answered.abort()
    }
  }
}
