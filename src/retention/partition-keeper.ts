import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { Partitions } from './partitions.ts'

/** Often enough for partitions of an hour, and cheap: what is known costs nothing. */
const INTERVAL_MS = 60_000

/** Creates partitions ahead of time, once a minute. Ingest creates what it misses itself, so a failure here is only a warning. */
export class PartitionKeeper {
  readonly #ended = new AbortController()
  readonly #running: Promise<void>

  constructor(options: { readonly partitions: Partitions; readonly ahead: number; readonly logger: Logger }) {
    this.#running = this.#run(options)
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run({ partitions, ahead, logger }: ConstructorParameters<typeof PartitionKeeper>[0]): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        await partitions.ensureAhead(ahead)
      } catch (error) {
        logger.warn({ err: error }, 'creating partitions ahead failed; trying again in a minute')
      }
      await sleep(INTERVAL_MS, signal).catch(() => undefined)
    }
  }
}
