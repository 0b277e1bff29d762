import type { Cluster, Redis } from 'ioredis'
import { messageOf, ObservatoryError } from '../errors.ts'
import { sleep } from '../lifecycle.ts'
import { streamKey } from '../models/stream-entry.ts'
import { type AddedEntry, addOnce, replyCodeOf } from './add-once.ts'
import type { RecordBatch } from './record-batch.ts'

export interface DeliveryOptions {
  readonly redis: Redis | Cluster
  /** Nothing is sent before it settles. */
  readonly ready: Promise<void>
  readonly streamPrefix: string
  readonly retryInitialDelayMs: number
  readonly retryMaxDelayMs: number
  /** Told once when an outage begins, and of every batch that Redis refuses for good. */
  readonly onError: (error: Error) => void
  /** Aborting it ends all retrying: what is not added by then is given up. */
  readonly signal: AbortSignal
}

/**
 * Reply codes of a Redis that will take the same add later: starting, failing over, full, busy with a script, unable to
 * save, short of replicas. Every other reply (WRONGTYPE, NOPERM, ERR, …) is an operator's or our fault and stays.
 */
const PASSING_REPLIES = new Set([
  'LOADING',
  'READONLY',
  'OOM',
  'BUSY',
  'MISCONF',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'NOREPLICAS',
])

/**
 * Gets batches into Redis, many at once, each of them sent until it is there.
 *
 * - connecting (`ready` pending): batches wait.
 * - flowing: every batch is sent at once. A send that fails in passing begins an outage.
 * - outage: the batch that failed first probes (wait, PING, its own add); all others wait. Its success ends the outage
 *   and lets all others go at once. Redis refusing it for good ends the outage too; that batch rejects.
 * - given up (`signal` aborted): everything waiting or failing rejects.
 *
 * PING goes before a repeated add because replies come in order: one that is answered shows that the connection has
 * drained, so a server that is silent is not handed one copy of the batch after another.
 */
export class Delivery {
  readonly #options: DeliveryOptions
  #outage: Promise<void> | undefined
  #lastError: unknown
  #resends = 0

  constructor(options: DeliveryOptions) {
    this.#options = options
    const connected = (): void => {
      this.#outage = undefined
    }
    this.#outage = options.ready.then(connected, connected)
  }

  /** Entries that were sent again, counted for each time. */
  get resends(): number {
    return this.#resends
  }

  /** Resolves when Redis has the batch; rejects if it refuses it for good, or when given up. */
  async deliver(batch: RecordBatch): Promise<AddedEntry> {
    await this.#outage
    let added = await this.#attempt(batch)
    while (added === undefined) {
      if (this.#outage === undefined) {
        added = await this.#probe(batch)
      } else {
        await this.#outage
        added = await this.#attempt(batch)
      }
    }
    return added
  }

  async #probe(batch: RecordBatch): Promise<AddedEntry> {
    let end = (): void => {}
    this.#outage = new Promise((resolve) => {
      end = resolve
    })
    this.#options.onError(retriedError(this.#lastError))
    try {
      for (let failures = 0; ; failures++) {
        await sleep(this.#backoffMs(failures), this.#options.signal)
        if (!(await this.#isAnswering())) continue
        const added = await this.#attempt(batch)
        if (added !== undefined) return added
      }
    } finally {
      this.#outage = undefined
      end()
    }
  }

  /** One send. Undefined means that it may be repeated; the add may or may not have happened. */
  async #attempt(batch: RecordBatch): Promise<AddedEntry | undefined> {
    this.#options.signal.throwIfAborted()
    batch.attempts++
    if (batch.attempts > 1) this.#resends++
    const stream = streamKey(this.#options.streamPrefix, batch.signal)
    try {
      return await addOnce(this.#options.redis, { stream, fields: { json: batch.body() }, key: batch.key })
    } catch (error) {
      const refusal = this.#refusalOf(error, stream)
      if (refusal !== undefined) {
        this.#options.onError(refusal)
        throw refusal
      }
      this.#lastError = error
      return undefined
    }
  }

  /** The error of a failure that no waiting will mend, or undefined. */
  #refusalOf(error: unknown, stream: string): ObservatoryError | undefined {
    if (this.#options.redis.status === 'end') {
      const message = `cannot add to ${stream}: the Redis connection was closed; give the producer one that stays open`
      return new ObservatoryError('ERR_SERVER_UNREACHABLE', message, { cause: error })
    }
    const code = replyCodeOf(error)
    if (code === undefined || PASSING_REPLIES.has(code) || !isReplyToScript(error)) return undefined
    const message = `Redis refuses to add to ${stream}: ${messageOf(error)}`
    return new ObservatoryError('ERR_SERVER_UNSUITABLE', message, { cause: error })
  }

  async #isAnswering(): Promise<boolean> {
    try {
      await this.#options.redis.ping()
      return true
    } catch (error) {
      this.#lastError = error
      return false
    }
  }

  /** Full delays (ms) with the defaults: 50, 100, 200, 400, 800, 1600, 2000, …; half of each is random. */
  #backoffMs(failures: number): number {
    const { retryInitialDelayMs, retryMaxDelayMs } = this.#options
    const full = Math.min(retryMaxDelayMs, retryInitialDelayMs * 2 ** failures)
    return (full / 2) * (1 + Math.random())
  }
}

/** ioredis fails queued commands with the reply to its own handshake: that says nothing about the add. */
function isReplyToScript(error: unknown): boolean {
  const name = (error as { command?: { name?: string } }).command?.name
  return name === 'eval' || name === 'evalsha'
}

/** Replies say what is the matter; what ioredis says of lost connections names its own options. */
function retriedError(error: unknown): ObservatoryError {
  const problem = replyCodeOf(error) === undefined ? 'it does not answer' : messageOf(error)
  return new ObservatoryError('ERR_SERVER_UNREACHABLE', `Redis takes nothing at the moment: ${problem}`, {
    cause: error,
  })
}
