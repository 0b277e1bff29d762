import { setTimeout as sleep } from 'node:timers/promises'
import { type Redis, ReplyError } from 'ioredis'
import { streamKey } from '../../src/models/stream-entry.ts'
import type { Exporter } from './exporter.ts'
import type { MintedEntry, Recipe } from './mint.ts'
import type { Oracle } from './oracle.ts'

export interface LoadOptions {
  readonly oracle: Oracle
  readonly exporter: Exporter
  /** A connection of its own that never sends a command twice: what became of each XADD is known, or known to be unknown. */
  readonly redis: Redis
  readonly streamPrefix: string
  readonly entriesPerSecond: number
}

const TICK_MS = 25
const BURST_PIPELINE = 100

/** Adds the oracle's entries to Redis at a steady pace, and tells it what became of each. Some are the exporter's to send. */
export class Load {
  readonly #options: LoadOptions
  #isPaused = false
  #isStopped = false
  #adding: Promise<unknown> = Promise.resolve()
  readonly #running: Promise<void>

  constructor(options: LoadOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** Resolves when no XADD is under way any more. */
  async pause(): Promise<void> {
    this.#isPaused = true
    await this.#adding
  }

  resume(): void {
    this.#isPaused = false
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** Adds entries of these recipes now, beside the steady ones. @returns their numbers. */
  async burst(recipes: readonly Recipe[]): Promise<number[]> {
    const numbers: number[] = []
    for (let from = 0; from < recipes.length; from += BURST_PIPELINE)
      numbers.push(...(await this.#add(recipes.slice(from, from + BURST_PIPELINE))))
    return numbers
  }

  async #run(): Promise<void> {
    let due = 0
    for (let last = performance.now(); !this.#isStopped; ) {
      await sleep(TICK_MS)
      const now = performance.now()
      due = Math.min(
        this.#options.entriesPerSecond,
        due + ((now - last) / 1000) * this.#options.entriesPerSecond,
      )
      last = now
      const count = Math.floor(due)
      if (this.#isPaused || count === 0) continue
      due -= count
      this.#adding = this.#add(Array.from({ length: count }))
      await this.#adding
    }
  }

  async #add(recipes: readonly (Recipe | undefined)[]): Promise<number[]> {
    const { oracle, exporter, redis } = this.#options
    if (redis.status !== 'ready') return []
    const minted = recipes.map((recipe) => oracle.next(recipe))
    const exported = exporter.isHeldUp ? [] : minted.filter(({ entry }) => entry.isExport)
    for (const { number } of exported) exporter.send(number)
    await this.#xadd(minted.filter((each) => !exported.includes(each)))
    return minted.map(({ number }) => number)
  }

  async #xadd(minted: readonly { readonly number: number; readonly entry: MintedEntry }[]): Promise<void> {
    const { oracle, redis, streamPrefix } = this.#options
    const pipeline = redis.pipeline()
    for (const { entry } of minted) pipeline.xadd(streamKey(streamPrefix, entry.signal), '*', ...entry.fields)
    const replies = await pipeline.exec().catch(() => null)
    minted.forEach(({ number }, index) => {
      const [error, id] = replies?.[index] ?? [new Error('no answer')]
      if (error === null) oracle.settleFate(number, 'accepted', String(id))
      else oracle.settleFate(number, error instanceof ReplyError ? 'refused' : 'unknown')
    })
  }
}
