import { sleep } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import type { PartitionedTable, Partitions } from './partitions.ts'

/** Often enough for partitions of an hour, and cheap: what is known costs nothing. */
const INTERVAL_MS = 60_000

/** Creates partitions ahead of time, once a minute. Ingest creates what it misses itself, so a failure here is only a warning. */
export class PartitionKeeper {
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  #starts: ReadonlyMap<PartitionedTable, readonly number[]> | undefined

  constructor(options: { readonly partitions: Partitions; readonly ahead: number; readonly logger: Logger }) {
    this.#running = this.#run(options)
  }

  /** How many partitions of each table begin after now, of those that were there at the last look: fewer as time goes by. Undefined before the first. */
  ahead(nowMs = Date.now()): ReadonlyMap<PartitionedTable, number> | undefined {
    if (this.#starts === undefined) return undefined
    const later = (starts: readonly number[]) => starts.filter((start) => start > nowMs).length
    return new Map([...this.#starts].map(([table, starts]) => [table, later(starts)]))
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
        this.#starts = await partitions.starts()
      } catch (error) {
        logger.warn({ err: error }, 'creating partitions ahead failed; trying again in a minute')
      }
      await sleep(INTERVAL_MS, signal).catch(() => undefined)
    }
  }
}
