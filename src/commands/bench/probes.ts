import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sleep } from '../../lifecycle.ts'

export interface ProbesOptions {
  readonly redis: Redis
  /** A connection of their own, so that looking for them waits for nothing else. */
  readonly client: pg.Client
  readonly stream: string
  readonly stopping: AbortSignal
}

const ADD_EVERY_MS = 20
const LOOK_EVERY_MS = 5
/** So many are looked for at once, oldest first: those behind them come later still. */
const LOOKED_FOR_AT_ONCE = 200

/** Spans that are added one by one among a load, to see how long each takes until a query finds it. */
export class Probes {
  readonly #options: ProbesOptions
  /** When each was added (performance.now), by its trace id as PostgreSQL writes it; oldest first. */
  readonly #waiting = new Map<string, number>()
  #latenciesMs: number[] = []

  constructor(options: ProbesOptions) {
    this.#options = options
  }

  /** Adds probes for so long and looks for them, then goes on looking for those that are missing. */
  async run({ addMs, drainMs }: { readonly addMs: number; readonly drainMs: number }): Promise<{
    readonly latenciesMs: readonly number[]
    readonly unseen: number
  }> {
    this.#latenciesMs = []
    this.#waiting.clear()
    const startedMs = performance.now()
    for (let addAtMs = startedMs; ; ) {
      const nowMs = performance.now()
      if (nowMs >= startedMs + addMs && this.#waiting.size === 0) break
      if (nowMs >= startedMs + addMs + drainMs) break
      if (nowMs >= addAtMs && nowMs < startedMs + addMs) {
        await this.#add()
        addAtMs += ADD_EVERY_MS
      }
      await this.#look()
      await sleep(LOOK_EVERY_MS, this.#options.stopping)
    }
    return { latenciesMs: this.#latenciesMs, unseen: this.#waiting.size }
  }

  async #add(): Promise<void> {
    const traceId = randomBytes(16).toString('hex')
    const span = {
      traceId,
      spanId: traceId.slice(16),
      name: 'probe',
      startTimeUnixNano: `${Date.now()}000000`,
    }
    const addedMs = performance.now()
    await this.#options.redis.xadd(this.#options.stream, '*', 'json', JSON.stringify(span))
    this.#waiting.set(uuidOf(traceId), addedMs)
  }

  async #look(): Promise<void> {
    if (this.#waiting.size === 0) return
    const wanted = [...this.#waiting.keys()].slice(0, LOOKED_FOR_AT_ONCE)
    const { rows } = await this.#options.client.query<{ trace_id: string }>({
      name: 'bench probes',
      text: 'select trace_id from spans where trace_id = any($1::uuid[])',
      values: [wanted],
    })
    const nowMs = performance.now()
    for (const { trace_id: traceId } of rows) {
      const addedMs = this.#waiting.get(traceId)
      if (addedMs === undefined) continue
      this.#waiting.delete(traceId)
      this.#latenciesMs.push(nowMs - addedMs)
    }
  }
}

function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
