/**
 * A reading for probes and scrapes, however many come at once: those that ask while one runs share it, and nobody waits for it longer
 * than `timeoutMs`. Then, the answer is undefined, and the reading stays the shared one until it ends by itself.
 */
export function sharedRead<T>(read: () => Promise<T>, timeoutMs: number): () => Promise<T | undefined> {
  let running: Promise<T> | undefined
  return () => {
    running ??= read().finally(() => {
      running = undefined
    })
    const reading = running
    // No AbortSignal: a scrape has four of these, and each abort makes an exception with a stack.
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, timeoutMs, undefined)
      reading.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}
