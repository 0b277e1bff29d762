import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from './worker.ts'

/** Counters of the workers that say what recovery did. */
export const COUNTERS = {
  duplicates: 'observatory_records_duplicate_total',
  claimed: 'observatory_entries_claimed_total',
  lost: 'observatory_entries_lost_total',
  retries: 'observatory_write_retries_total',
  redisErrors: 'observatory_redis_errors_total',
} as const

export type Counts = Readonly<Record<keyof typeof COUNTERS, number>>

const POLL_MS = 250
const NAMES = Object.keys(COUNTERS) as readonly (keyof typeof COUNTERS)[]

/**
 * Adds up the counters of every process that ran, as they were last scraped: what a killed one counted in its last quarter of a second
 * is not in it, so the sums are lower bounds. Watches memory, too.
 */
export class Statistics {
  readonly #workers: readonly Worker[]
  readonly #last = new Map<string, Counts>()
  #peakRss = 0
  #isStopped = false
  readonly #running: Promise<void>

  constructor(workers: readonly Worker[]) {
    this.#workers = workers
    this.#running = this.#run()
  }

  /** The most resident memory that any worker had, in bytes. */
  get peakRss(): number {
    return this.#peakRss
  }

  async scrape(): Promise<Counts> {
    await Promise.all(this.#workers.map((worker) => this.#scrapeWorker(worker)))
    const total = Object.fromEntries(
      NAMES.map((name) => [name, [...this.#last.values()].reduce((sum, counts) => sum + counts[name], 0)]),
    )
    return total as Counts
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.scrape()
      await sleep(POLL_MS)
    }
  }

  async #scrapeWorker(worker: Worker): Promise<void> {
    if (worker.hasExited || worker.isDown) return
    const key = `${worker.slot} ${worker.incarnation}`
    const memory = await worker.memory()
    this.#peakRss = Math.max(this.#peakRss, memory?.peak ?? 0)
    const text = await worker
      .get('/metrics')
      .then((response) => response.text())
      .catch(() => undefined)
    if (text === undefined) return
    const counts = Object.fromEntries(NAMES.map((name) => [name, sumOf(text, COUNTERS[name])]))
    this.#last.set(key, counts as Counts)
  }
}

/** The sum of all series of a counter in Prometheus' text format. */
function sumOf(text: string, name: string): number {
  let sum = 0
  for (const line of text.split('\n'))
    if (line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      sum += Number(line.slice(line.lastIndexOf(' ')))
  return sum
}
