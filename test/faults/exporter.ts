import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Random } from '../../src/demo/random.ts'
import { streamKey } from '../../src/models/stream-entry.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { type AddedEntry, addOnce } from '../../src/producer/add-once.ts'
import { waitFor } from './deadline.ts'
import type { MintedEntry } from './mint.ts'
import type { Oracle } from './oracle.ts'
import type { Worker } from './worker.ts'

export interface ExporterOptions {
  readonly oracle: Oracle
  readonly workers: readonly Worker[]
  /** Past every proxy, to ask for the id that an entry was given. */
  readonly redis: Redis
  readonly streamPrefix: string
  readonly random: Random
  readonly signal: AbortSignal
}

/** What became of the requests that were sent. All but those `taken` were sent again. */
export interface ExportCounts {
  /** Answered 200. */
  taken: number
  /** Answered 200, and the answer thrown away. */
  answerLost: number
  /** Answered 503. */
  refused: number
  /** Connection refused or cut, or no answer in time. */
  unanswered: number
}

interface ExportRequest {
  readonly signal: TelemetrySignal
  readonly body: Buffer
}

/** One answer of 200 in this many is lost: a process is rarely killed in the millisecond between Redis' answer and its own. */
const ANSWERS_LOST_EVERY = 8
/** Exporters wait 10 s; what is frozen for longer than this shows the same. */
const ANSWER_MAX_MS = 5000
/** Where the answer does not say when to come again. Exporters take seconds, and each fault would wait for them. */
const PAUSE_MS = 200
const DRAIN_MAX_MS = 90_000
const BRACE = '{'.charCodeAt(0)

/**
 * Sends entries of the form `otlp` as export requests, as an exporter of OpenTelemetry's does: the same body, to one worker after another,
 * until one has answered 200. *sending* → *taken* (answered 200, its id asked for) | *given up* (an answer that none should get, or stopped).
 */
export class Exporter {
  readonly #options: ExporterOptions
  readonly #sending = new Set<Promise<void>>()
  #isStopped = false
  isHeldUp = false
  readonly counts: ExportCounts = { taken: 0, answerLost: 0, refused: 0, unanswered: 0 }
  /** Answers that no request of good records may get, and those of 200 to one that Redis did not have. */
  readonly violations: string[] = []

  constructor(options: ExporterOptions) {
    this.#options = options
  }

  /** Sends the entry of this number, and sees to it until it is taken. */
  send(number: number): void {
    const sending = this.#send(number).finally(() => this.#sending.delete(sending))
    this.#sending.add(sending)
  }

  /**
   * Does `work` while no request is under way: what Redis loses it cannot recognise when it is sent again.
   *
   * @throws DeadlineMissed when requests are not answered before.
   */
  async heldUp<T>(work: () => Promise<T>): Promise<T> {
    this.isHeldUp = true
    try {
      await waitFor(async () => (this.#sending.size === 0 ? true : undefined), {
        what: 'Answering every export request',
        timeoutMs: DRAIN_MAX_MS,
        signal: this.#options.signal,
      })
      return await work()
    } finally {
      this.isHeldUp = false
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#sending)
  }

  async #send(number: number): Promise<void> {
    const { oracle, workers, random } = this.#options
    const request = requestOf(oracle.entry(number))
    // The next one each time: one that is frozen is not asked again and again.
    for (let slot = random.integer(1, workers.length); !this.#isStopped; slot += 1) {
      const outcome = await this.#attempt(request, workers[slot % workers.length])
      if (outcome === 'given up') break
      if (outcome === 'taken') {
        const added = await this.#find(request)
        if (added === undefined) break
        if (!added.repeated) this.violations.push(`200 to entry ${number}, which Redis did not have`)
        oracle.settleFate(number, 'accepted', added.id)
        return
      }
      await sleep(outcome)
    }
    oracle.settleFate(number, 'unknown')
  }

  /** @returns after how many milliseconds to send it again, where it is not at its end. */
  async #attempt(
    { signal, body }: ExportRequest,
    worker: Worker | undefined,
  ): Promise<'taken' | 'given up' | number> {
    const contentType = body[0] === BRACE ? 'application/json' : 'application/x-protobuf'
    const options = { body, contentType, timeoutMs: ANSWER_MAX_MS }
    const answer = await worker?.post(`/v1/${signal}`, options).catch(() => undefined)
    if (answer === undefined) {
      this.counts.unanswered += 1
      return PAUSE_MS
    }
    const { status, text, retryAfter } = answer
    if (status === 503) {
      this.counts.refused += 1
      return retryAfter === null ? PAUSE_MS : Number(retryAfter) * 1000
    }
    // A partial success would be text.
    if (status !== 200 || !['', '{}'].includes(text)) {
      this.violations.push(`${status} ${text}`)
      return 'given up'
    }
    if (this.#options.random.chance(1 / ANSWERS_LOST_EVERY)) {
      this.counts.answerLost += 1
      return 0
    }
    this.counts.taken += 1
    return 'taken'
  }

  /** Adds the body once more, by the key that the receiver gives it: Redis must have it, and says its id. */
  async #find({ signal, body }: ExportRequest): Promise<AddedEntry | undefined> {
    const { redis, streamPrefix } = this.#options
    const digest = createHash('sha256').update(body).digest('hex')
    const entry = { stream: streamKey(streamPrefix, signal), fields: { otlp: body }, key: `${digest}:0` }
    while (!this.#isStopped) {
      const added = await addOnce(redis, entry).catch(() => undefined)
      if (added !== undefined) return added
      await sleep(PAUSE_MS)
    }
    return undefined
  }
}

function requestOf({ signal, fields: [name, body] }: MintedEntry): ExportRequest {
  if (name !== 'otlp' || !Buffer.isBuffer(body))
    throw new TypeError(`An entry of ${name} is no export request`)
  return { signal, body }
}
