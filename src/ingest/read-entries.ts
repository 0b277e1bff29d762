import type { Redis } from 'ioredis'
import { isRetryable } from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import { parseEntryId } from '../models/stream-entry.ts'
import { whenReady } from '../redis.ts'
import { ensureGroup, type GroupOfStream, replyStartsWith } from './consumer-group.ts'
import type { InFlight } from './in-flight.ts'
import type { EntryChunk, StreamEntry } from './stream-entries.ts'

export interface ReadOptions extends GroupOfStream {
  /** A connection of this reader's own: a blocking read holds up every other command on it. */
  readonly redis: Redis
  readonly consumer: string
  readonly maxCount: number
  readonly blockMs: number
  readonly inFlight: InFlight
  /** Ends the source after the read that is under way: what it returns is still ingested. */
  readonly stopping: AbortSignal
  readonly onError: (error: unknown) => void
  /** Pending entries of ours that no longer exist in the stream. They stay pending. */
  readonly onVanished: (ids: readonly string[]) => void
}

/** A reply should have about this many bytes: what is asked for follows the size of the entries seen. */
const REPLY_TARGET_BYTES = 2 * 1024 * 1024
/** The first read asks for so few that entries of any usual size fit. */
const FIRST_COUNT = 64

type Reply = [stream: Buffer, entries: [id: Buffer, fields: Buffer[] | null][]][] | null

/**
 * Reads one stream as one consumer of its group.
 *
 * States: *pending*, re-reads what was delivered to this consumer but never acknowledged, from the beginning of its list; when that is read,
 * *fresh*, reads `>`. An error (a lost connection may have lost a reply, whose entries are then pending) or {@link rereadPending} leads to
 * *settling*: wait until all that was read is settled, so that nothing is read twice, then pending again.
 */
export class EntryReader {
  readonly #options: ReadOptions
  #count = FIRST_COUNT
  #mustReread = true

  constructor(options: ReadOptions) {
    this.#options = options
  }

  /** Asks for the pending entries to be read again: an acknowledgement failed. */
  rereadPending(): void {
    this.#mustReread = true
  }

  /** Chunks of entries until `stopping` is aborted. It fails only for what is our own fault. */
  async *read(): AsyncGenerator<EntryChunk> {
    const { stopping, onError } = this.#options
    for (let failures = 0; !stopping.aborted; ) {
      try {
        if (this.#mustReread) yield* this.#readPending()
        const chunk = await this.#readFresh()
        failures = 0
        if (chunk !== undefined) yield chunk
      } catch (error) {
        if (stopping.aborted) return
        if (!isRetryable(error)) throw error
        this.#mustReread = true
        onError(error)
        failures += 1
        await sleep(backoffMs(failures), stopping)
          .then(() => whenReady(this.#options.redis, stopping))
          .catch(() => undefined)
      }
    }
  }

  async *#readPending(): AsyncGenerator<EntryChunk> {
    const { redis, stream, inFlight, stopping, onVanished } = this.#options
    await inFlight.drained(stream, stopping)
    await whenReady(redis, stopping)
    await ensureGroup(redis, this.#options)
    this.#mustReread = false
    for (let after = '0'; !stopping.aborted; ) {
      await inFlight.room(stopping)
      const reply = await this.#xreadgroup(after)
      const ids = reply.map(([id]) => id.toString('latin1'))
      const vanished = ids.filter((_, index) => reply[index]?.[1] === null)
      if (vanished.length > 0) onVanished(vanished)
      const last = ids.at(-1)
      if (last === undefined) return
      after = last
      const chunk = this.#chunk(reply, false)
      if (chunk.entries.length > 0) yield chunk
    }
  }

  async #readFresh(): Promise<EntryChunk | undefined> {
    const { inFlight, stopping } = this.#options
    await inFlight.room(stopping)
    try {
      const reply = await this.#xreadgroup('>')
      return reply.length === 0 ? undefined : this.#chunk(reply, true)
    } catch (error) {
      if (!replyStartsWith(error, 'NOGROUP')) throw error
      await ensureGroup(this.#options.redis, this.#options)
      return undefined
    }
  }

  async #xreadgroup(id: string): Promise<[Buffer, Buffer[] | null][]> {
    const { redis, group, consumer, stream, blockMs } = this.#options
    const count = this.#count
    const reply = (await (id === '>'
      ? redis.xreadgroupBuffer(
          'GROUP',
          group,
          consumer,
          'COUNT',
          count,
          'BLOCK',
          blockMs,
          'STREAMS',
          stream,
          id,
        )
      : redis.xreadgroupBuffer('GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, id))) as Reply
    return reply?.[0]?.[1] ?? []
  }

  #chunk(reply: readonly [Buffer, Buffer[] | null][], contiguous: boolean): EntryChunk {
    const { stream, inFlight, maxCount } = this.#options
    const entries: StreamEntry[] = []
    let bytes = 0
    for (const [id, fields] of reply) {
      if (fields === null) continue
      let size = 0
      for (const field of fields) size += field.length
      bytes += size
      entries.push({ id: parseEntryId(id.toString('latin1')), fields, bytes: size })
    }
    inFlight.add(stream, entries.length, bytes)
    const averageBytes = Math.max(1, bytes / Math.max(1, entries.length))
    this.#count = Math.max(
      1,
      Math.min(maxCount, this.#count * 4, Math.floor(REPLY_TARGET_BYTES / averageBytes)),
    )
    return { contiguous, readAt: Date.now(), entries, bytes }
  }
}
