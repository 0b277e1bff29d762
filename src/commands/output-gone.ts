/** What ends by itself when nobody reads standard output any more. */
const running = new Set<AbortController>()

/**
 * Runs `work`, which ends when its signal is aborted: whoever read standard output is gone (`| head`). So what was asked of a server is called off before the process
 * ends. That is no failure, whatever `work` throws then.
 */
export async function untilOutputGone(work: (gone: AbortSignal) => Promise<void>): Promise<void> {
  const gone = new AbortController()
  running.add(gone)
  try {
    await work(gone.signal)
  } catch (error) {
    if (!gone.signal.aborted) throw error
  } finally {
    running.delete(gone)
  }
}

/** Says that standard output has no reader any more. @returns whether there is something that ends by it; else it is the process that should. */
export function tellOutputGone(): boolean {
  for (const each of running) each.abort(new Error('Nobody reads standard output any more'))
  return running.size > 0
}
