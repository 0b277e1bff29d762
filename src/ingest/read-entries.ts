import type { Redis } from 'ioredis'
import { isRetryable } from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import { type EntryId, parseEntryId } from '../models/stream-entry.ts'
import { whenReady } from '../redis.ts'
import { claimIdle } from './claim-idle.ts'
import { ensureGroup, type GroupOfStream, replyStartsWith } from './consumer-group.ts'
import { differingServers } from './differing-servers.ts'
import type { InFlight } from './in-flight.ts'
import { ReplyCount } from './reply-count.ts'
import { bytesOfFields, type EntryChunk, type StreamEntry } from './stream-entries.ts'

export interface ReadOptions extends GroupOfStream {
  /** A connection of this reader's own: a blocking read holds up every other command on it. */
  readonly redis: Redis
  /** The connection that acknowledges what is read here. It must lead to the same server. */
  readonly commands: Redis
  readonly consumer: string
  readonly maxCount: number
  readonly blockMs: number
  readonly inFlight: InFlight
  /** Ends the source after the read that is under way: what it returns is still ingested. */
  readonly stopping: AbortSignal
  /** Nothing that is read is committed any more. */
  readonly ended: AbortSignal
  readonly onError: (error: unknown) => void
  /** The group was not there. It is made again at the beginning of the stream. */
  readonly onGroupGone: () => void
  /** Settles pending entries that are no longer in the stream. Never fails: false means that they are pending still, and are to be asked for again. */
  readonly onVanished: (ids: readonly string[]) => Promise<boolean>
  readonly claim: {
    readonly minIdleMs: number
    readonly isAlive: (consumer: string) => Promise<boolean>
    /** Whether what is claimed could be written: else it is left to whoever can. */
    readonly mayClaim: () => boolean
    readonly onClaimed: (entries: number) => void
  }
}

/** Pending entries are read by few, the first alone: those that were too much for a process once must not be so again at every start. */
const MAX_PENDING_COUNT = 16
/** When told to stop while what is committed could not be acknowledged, it is read again so many times, */
const LAST_LOOKS = 3
/** and a connection that is being made again gets so long. */
const LAST_LOOK_PATIENCE_MS = 1000
/** Vanished entries of its own that are remembered to be asked for again; those past that are met by the next re-read. */
const MAX_UNSETTLED = 10_000

const NOT_READ_YET = 'nothing was read yet'

/**
 * After a reply that has all there was: what comes meanwhile comes in one reply. Of 5,000 entries a second that came a few at a time, asking for them took more than a tenth of a core. A batch
 * waits for more entries much longer than that.
 */
const FRESH_PAUSE_MS = 10

/** Looked for what others left behind at least this often, however long it may lie. */
const CLAIM_INTERVAL_MAX_MS = 30_000

/** The fields are null of an entry that is pending, but no longer in the stream. */
type ReplyEntry = readonly [id: Buffer, fields: Buffer[] | null]

/** In place of each entry's own: entries are held until they are committed. */
const JSON_NAME = Buffer.from('json')
type Reply = [stream: Buffer, entries: ReplyEntry[]][] | null

/**
 * Reads one stream as one consumer of its group.
 *
 * States: *pending*, re-reads what was delivered to this consumer but never acknowledged, from the beginning of its list; when that is read,
 * *fresh*, reads `>`, one reply ahead where more is there. An error (a lost connection may have lost a reply, whose entries are then pending), a lost connection of others to the same Redis and a group that is gone lead to *settling*: wait until
 * all that was read is settled, so that nothing is read twice, then pending again. So does finding more pending than is held. From
 * fresh, now and then: *claiming*, takes over what consumers that are gone left pending. Told to stop, it reads no more, waits until what
 * was read is settled, and reads once more what could not be acknowledged.
 */
export class EntryReader {
  readonly #options: ReadOptions
  readonly #count: ReplyCount
  /** Entries that the last fresh read asked for, and whether it got some, but fewer. */
  #asked = 0
  #hasTakenAll = false
  #mustReread = true
  #isBlocked = false
  /** Own entries that have vanished and are pending still. */
  readonly #unsettled = new Set<string>()
  #problem: unknown = NOT_READ_YET
  readonly #claimIntervalMs: number
  #claimAt: number

  constructor(options: ReadOptions) {
    this.#options = options
    this.#count = new ReplyCount(options.maxCount)
    this.#claimIntervalMs = Math.min(options.claim.minIdleMs / 2, CLAIM_INTERVAL_MAX_MS)
    this.#claimAt = performance.now() + this.#claimIntervalMs * Math.random()
  }

  /**
   * Asks for the pending entries to be read again. To be called when any connection to this Redis was lost: the next one may lead to another
   * server, where the ids that are held bear other entries.
   */
  rereadPending(): void {
    this.#mustReread = true
  }

  /**
   * Whether what is held now was read before the last such event, or error. It must not be acknowledged then: XACK knows ids only. It is
   * read again, and acknowledged when the ledger has recognised it.
   */
  get isStale(): boolean {
    return this.#mustReread
  }

  /** Why the last read failed, or that there was none yet; else undefined. */
  get problem(): unknown {
    return this.#problem
  }

  /** Whether Redis owes the answer to a blocking read. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Chunks of entries until `stopping` is aborted. It fails only for what is our own fault. */
  async *read(): AsyncGenerator<EntryChunk> {
    yield* this.#readUntilStopped()
    yield* this.#readLast()
  }

  async *#readUntilStopped(): AsyncGenerator<EntryChunk> {
    const { stopping, onError } = this.#options
    let ahead: Promise<EntryChunk | undefined> | undefined
    for (let failures = 0; ahead !== undefined || !stopping.aborted; ) {
      try {
        if (ahead === undefined && this.#mustReread) yield* this.#readPending(stopping)
        if (ahead === undefined && this.#isClaimDue()) yield* this.#claimIdle()
        if (ahead === undefined && stopping.aborted) return
        const reading: Promise<EntryChunk | undefined> = ahead ?? this.#readFresh()
        ahead = undefined
        const chunk = await reading
        failures = 0
        this.#problem = undefined
        if (chunk === undefined) continue
        if (this.#mayReadAhead(chunk)) {
          ahead = this.#readFresh()
          // Who takes it learns of it; when nobody does, what it read stays pending.
          ahead.catch(() => undefined)
        }
        yield chunk
      } catch (error) {
        if (stopping.aborted && error === stopping.reason) return
        if (!isRetryable(error)) throw error
        this.#mustReread = true
        if (stopping.aborted) return
        this.#problem = error
        onError(error)
        failures += 1
        await sleep(backoffMs(failures), stopping)
          .then(() => whenReady(this.#options.redis, stopping))
          .catch(() => undefined)
      }
    }
  }

  /** With more to come at once, the next reply is made while this one is decoded. What was read ahead is given out before anything else is done. */
  #mayReadAhead({ entries }: EntryChunk): boolean {
    const { stopping, stream, inFlight } = this.#options
    const isBacklog = entries.length >= this.#asked
    const isUndisturbed = !this.#mustReread && !this.#isClaimDue() && !stopping.aborted
    return isBacklog && isUndisturbed && inFlight.hasRoom(stream)
  }

  #isClaimDue(): boolean {
    return performance.now() >= this.#claimAt
  }

  /**
   * Waits for what was read, and reads once more what of it could not be acknowledged. Where Redis does not answer it stays pending: the next one
   * of this name finds it, and the ledger knows what was committed.
   */
  async *#readLast(): AsyncGenerator<EntryChunk> {
    const { stream, inFlight, ended, onError } = this.#options
    try {
      for (let look = 0; look < LAST_LOOKS; look += 1) {
        await inFlight.drained(stream, ended)
        if (!this.#mustReread) return
        yield* this.#readPending(ended, LAST_LOOK_PATIENCE_MS)
      }
    } catch (error) {
      if (error === ended.reason) return
      if (!isRetryable(error)) throw error
      onError(error)
    }
  }

  async *#readPending(until: AbortSignal, reconnectMaxMs?: number): AsyncGenerator<EntryChunk> {
    const { redis, commands, stream, inFlight } = this.#options
    await inFlight.drained(stream, until)
    const patience =
      reconnectMaxMs === undefined ? until : AbortSignal.any([until, AbortSignal.timeout(reconnectMaxMs)])
    await Promise.all([whenReady(redis, patience), whenReady(commands, patience)])
    // Before anything is asked: a connection that is lost from here on asks for all of this again.
    this.#mustReread = false
    let isComplete = false
    try {
      await this.#requireOneServer()
      await ensureGroup(redis, this.#options)
      if (this.#problem === NOT_READ_YET) this.#problem = undefined
      yield* this.#readPendingList(until)
      isComplete = !until.aborted
    } finally {
      if (!isComplete) this.#mustReread = true
    }
  }

  async *#readPendingList(until: AbortSignal): AsyncGenerator<EntryChunk> {
    const { stream, inFlight } = this.#options
    this.#unsettled.clear()
    for (
      let after = '0', count = 1;
      !until.aborted;
      count = Math.min(2 * count, MAX_PENDING_COUNT, this.#count.next)
    ) {
      await inFlight.room(stream, until)
      const reply = await this.#xreadgroup(after, count)
      const ids = reply.map(([id]) => id.toString('latin1'))
      await this.#settleOwn(ids.filter((_, index) => reply[index]?.[1] === null))
      const last = ids.at(-1)
      if (last === undefined) return
      after = last
      const chunk = this.#chunk(reply, false)
      if (chunk.entries.length > 0) yield chunk
    }
  }

  /** What cannot be settled yet is pending without being held, which is no sign of a lost reply. */
  async #settleOwn(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const isSettled = await this.#options.onVanished(ids)
    for (const id of ids) {
      if (isSettled) this.#unsettled.delete(id)
      else if (this.#unsettled.size < MAX_UNSETTLED) this.#unsettled.add(id)
    }
  }

  /**
   * During a failover one connection may lead to the old primary, the other to the new one: ids that are read here would be
   * acknowledged there. Both are made again until they lead to one.
   */
  async #requireOneServer(): Promise<void> {
    const { redis, commands } = this.#options
    const differing = await differingServers(redis, commands)
    if (differing === undefined) return
    // Not while it connects: ioredis would give it up for good.
    for (const each of [redis, commands]) if (each.status === 'ready') each.disconnect(true)
    throw new Error(
      `REDIS_URL leads to two servers at once (run_id ${differing.join(' and ')}); nothing is read until it leads to one`,
    )
  }

  async *#claimIdle(): AsyncGenerator<EntryChunk> {
    const { redis, stream, group, consumer, inFlight, stopping, claim, onVanished } = this.#options
    this.#claimAt = performance.now() + this.#claimIntervalMs
    await this.#settleOwn([...this.#unsettled].slice(0, MAX_PENDING_COUNT))
    if (await this.#isMorePendingThanHeld()) this.#mustReread = true
    if (!claim.mayClaim()) return
    for await (const { entries, vanished } of claimIdle({ redis, stream, group, consumer, ...claim })) {
      if (vanished.length > 0) await onVanished(vanished)
      if (entries.length > 0) {
        claim.onClaimed(entries.length)
        yield this.#chunk(entries, false)
      }
      if (stopping.aborted) return
      await inFlight.room(stream, stopping)
    }
  }

  /** Then a reply was lost. */
  async #isMorePendingThanHeld(): Promise<boolean> {
    const { redis, stream, group, consumer, inFlight } = this.#options
    // Before asking: what is acknowledged meanwhile must not look as if it had never been held.
    const held = inFlight.of(stream).entries + this.#unsettled.size
    const [, , , holders] = (await redis.xpending(stream, group)) as [
      number,
      unknown,
      unknown,
      [string, string][] | null,
    ]
    return Number(holders?.find(([holder]) => holder === consumer)?.[1] ?? 0) > held
  }

  async #readFresh(): Promise<EntryChunk | undefined> {
    const { stream, inFlight, stopping, onGroupGone } = this.#options
    if (this.#hasTakenAll) await sleep(FRESH_PAUSE_MS, stopping)
    this.#hasTakenAll = false
    await inFlight.room(stream, stopping)
    this.#isBlocked = true
    try {
      this.#asked = this.#count.next
      const reply = await this.#xreadgroup('>', this.#asked)
      this.#hasTakenAll = reply.length > 0 && reply.length < this.#asked
      return reply.length === 0 ? undefined : this.#chunk(reply, true)
    } catch (error) {
      if (!replyStartsWith(error, 'NOGROUP')) throw error
      this.#mustReread = true
      onGroupGone()
      return undefined
    } finally {
      this.#isBlocked = false
    }
  }

  async #xreadgroup(id: string, count: number): Promise<readonly ReplyEntry[]> {
    const { redis, group, consumer, stream, blockMs } = this.#options
    const from = ['GROUP', group, consumer] as const
    const reply = (await (id === '>'
      ? redis.xreadgroupBuffer(...from, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, id)
      : redis.xreadgroupBuffer(...from, 'COUNT', count, 'STREAMS', stream, id))) as Reply
    return reply?.[0]?.[1] ?? []
  }

  #chunk(reply: readonly ReplyEntry[], contiguous: boolean): EntryChunk {
    const { stream, inFlight } = this.#options
    const entries: StreamEntry[] = []
    let bytes = 0
    let largest = 0
    let last: EntryId | undefined
    for (const [id, fields] of reply) {
      if (fields === null) continue
      if (fields.length === 2 && isJsonName(fields[0])) fields[0] = JSON_NAME
      const size = bytesOfFields(fields)
      bytes += size
      largest = Math.max(largest, size)
      last = parseEntryId(id.toString('latin1'), last)
      entries.push({ id: last, fields, bytes: size })
    }
    inFlight.read(stream, { entries: entries.length, bytes })
    this.#count.learn(largest)
    return { contiguous, readAt: Date.now(), entries }
  }
}

function isJsonName(name: Buffer | undefined): boolean {
  return name?.length === JSON_NAME.length && JSON_NAME.equals(name)
}
