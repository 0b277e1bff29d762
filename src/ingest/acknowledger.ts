import type { Redis } from 'ioredis'
import { backoffMs, sleep } from '../lifecycle.ts'
import { whenReady } from '../redis.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'

export interface AcknowledgerOptions extends GroupOfStream {
  readonly redis: Redis
  /** Whether what is held is to be read again: see {@link EntryReader.isStale}. */
  readonly isStale: () => boolean
  readonly stopping: AbortSignal
  /** Told when it gives up, being told to stop: the entries are pending still. */
  readonly onGivenUp: () => void
  readonly onError: (error: unknown) => void
}

/** Acknowledges what is committed. */
export class Acknowledger {
  readonly #options: AcknowledgerOptions
  #problem: unknown

  constructor(options: AcknowledgerOptions) {
    this.#options = options
  }

  /** Why the last XACK failed; undefined when it did not. */
  get problem(): unknown {
    return this.#problem
  }

  /**
   * Tries for as long as it takes, or until told to stop, or until the entries are to be read again: what is committed and still pending, the
   * ledger recognises.
   */
  async acknowledge(ids: readonly string[]): Promise<void> {
    const { redis, isStale, stopping, onGivenUp, onError } = this.#options
    for (let failures = 0; !isStale(); failures += 1) {
      try {
        await ackEntries(redis, this.#options, ids)
        break
      } catch (error) {
        this.#problem = error
        onError(error)
        if (stopping.aborted) return onGivenUp()
        await sleep(backoffMs(failures), stopping)
          .then(() => whenReady(redis, stopping))
          .catch(() => undefined)
      }
    }
    this.#problem = undefined
  }
}
