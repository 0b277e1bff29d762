import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { ReplyCount } from '../ingest/reply-count.ts'
import type { StreamEntry } from '../ingest/stream-entries.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import { type EntryId, formatEntryId, isBefore } from '../models/stream-entry.ts'
import { whenReady } from '../redis.ts'
import { entriesOf, type ReplyEntries, readBackwards } from './read-range.ts'
import { RecentRecords } from './recent-records.ts'
import type { RecordReader } from './record-reader.ts'
import { lookAtStream, type StreamLook } from './stream-look.ts'
import type { Gap, GapReason } from './tail-event.ts'
import type { TailRecord } from './tail-record.ts'

export interface LiveSource<T> {
  readonly stream: string
  readonly reader: RecordReader<T>
  /** For what is answered at once. */
  readonly commands: Redis
  /** Opens a connection for a read that waits; who reads closes it. */
  readonly connect: () => { readonly redis: Redis; readonly close: () => void }
  readonly onError: (error: unknown) => void
  /** Told of entries that were passed over for all who watch. */
  readonly onSkipped: (entries: number) => void
}

export interface LiveReaderOptions<T> extends LiveSource<T> {
  readonly onRecord: (record: TailRecord<T>) => void
  readonly onGap: (gap: Gap) => void
  /** Some entries were read: what was told is all of them. */
  readonly onRead: () => void
  /** Whether those who watch are not given what was read yet: then there is no hurry to read more. */
  readonly isBehind: () => boolean
}

const BLOCK_MS = 5000
/** Entries of one reply, at most. */
const MAX_COUNT = 1000
/** Entries of one turn of the event loop: a quarter of a millisecond. A pause for as many is one that a timer can make. */
const ENTRIES_A_TURN = 25
/** Between two reads that have found all there was: what comes meanwhile comes together. To read takes as long as to decode some records. */
const READ_PAUSE_MS = 1
const READ_PAUSE_BEHIND_MS = 10
/** Where there is more than was asked for, a pause for each entry about as long as its work takes: the thread is that of ingest and of queries, too. */
const ENTRY_PAUSE_MS = 0.04
/** Further behind, nothing is live any more: it goes on at the newest, and says what it has passed over. */
const MAX_BEHIND = 20_000
const LOOK_AFTER_FULL_REPLIES = 20
/** Of what came last, read when it begins: those who watched before a restart come back all at once. */
const FIRST_BYTES = 4 * 1024 * 1024

/**
 * Reads a stream as it grows, without a group.
 *
 * States: *starting* (looks at the stream, and reads what came last) → *live* (waits for entries) ⇄ *in doubt* (an error, or the entry that was read last is gone: looks at the stream, tells what it has missed, and
 * goes on with what is there) → *stopped*.
 */
export class LiveReader<T> {
  /** Settled when it is live; rejected when the stream could not be looked at. */
  readonly started: Promise<void>
  readonly #options: LiveReaderOptions<T>
  readonly #redis: Redis
  readonly #stopping = new AbortController()
  readonly #count = new ReplyCount(MAX_COUNT)
  readonly #done: Promise<void>
  #position: EntryId = { ms: 0n, seq: 0n }
  /** Entries that the stream ever had, up to the position. */
  #added = 0
  #recent: RecentRecords<T>
  #fullReplies = 0
  #mustLook = false

  constructor(options: LiveReaderOptions<T>) {
    this.#options = options
    this.#recent = this.#recentSince(NONE)
    const { redis, close } = options.connect()
    this.#redis = redis
    this.started = this.#start()
    this.#done = this.started
      .then(() => this.#run())
      .catch(() => undefined)
      .finally(close)
  }

  /** The last entry that was read. */
  get position(): EntryId {
    return this.#position
  }

  /** What was read last. */
  get recent(): RecentRecords<T> {
    return this.#recent
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The tail is stopped'))
    // Else it would wait for the answer to the read that is under way.
    this.#redis.disconnect()
    await this.#done
  }

  async #start(): Promise<void> {
    const { commands, stream } = this.#options
    const { lastId, added } = await lookAtStream(commands, stream)
    this.#position = lastId
    this.#added = added
    const last: StreamEntry[] = []
    let bytes = 0
    for await (const entries of readBackwards(commands, stream, lastId)) {
      last.push(...entries)
      for (const entry of entries) bytes += entry.bytes
      if (bytes > FIRST_BYTES) break
    }
    const oldest = last.pop()
    this.#recent = this.#recentSince(oldest?.id ?? lastId)
    for (const entry of last.reverse()) this.#recent.add(entry)
  }

  async #run(): Promise<void> {
    const { onError } = this.#options
    const stopping = this.#stopping.signal
    for (let failures = 0; !stopping.aborted; ) {
      try {
        await whenReady(this.#redis, stopping)
        const entries = this.#mustLook ? await this.#look([]) : await this.#read()
        failures = 0
        if (entries.length > 0) await this.#take(entries)
      } catch (error) {
        if (stopping.aborted) return
        this.#mustLook = true
        onError(error)
        failures += 1
        await sleep(backoffMs(failures), stopping).catch(() => undefined)
      }
    }
  }

  /** Waits for entries. */
  async #read(): Promise<readonly StreamEntry[]> {
    const { stream } = this.#options
    const after = formatEntryId(this.#position)
    const asked = this.#count.next
    const both = this.#redis
      .pipeline()
      .xreadBuffer('COUNT', asked, 'BLOCK', BLOCK_MS, 'STREAMS', stream, after)
      .xrangeBuffer(stream, after, after)
    const [read, last] = (await both.exec()) ?? []
    const entries = entriesOf(replyOf<ReadReply>(read)?.[0][1] ?? [])
    if (entries.length > 0) this.#count.learn(Math.max(...entries.map(({ bytes }) => bytes)))
    this.#fullReplies = entries.length < asked ? 0 : this.#fullReplies + 1
    const isDue = this.#fullReplies > 0 && this.#fullReplies % LOOK_AFTER_FULL_REPLIES === 0
    // While the entry before them is there, none in between was trimmed.
    return isDue || replyOf<ReplyEntries>(last).length === 0 ? this.#look(entries) : entries
  }

  /** Tells of what the stream has lost, or of what cannot be read in time. @param read not taken yet. @returns those of them that are to be taken. */
  async #look(read: readonly StreamEntry[]): Promise<readonly StreamEntry[]> {
    const look = await lookAtStream(this.#redis, this.#options.stream)
    this.#mustLook = false
    if (isBefore(look.lastId, this.#position) || look.added < this.#added) {
      this.#beginAgain(look)
      return []
    }
    const { firstId, added, length } = look
    if (added - this.#added - read.length > MAX_BEHIND) {
      this.#skipTo(look)
      return []
    }
    const readInTime = read.filter(({ id }) => firstId === undefined || isBefore(id, firstId)).length
    const missed = added - length - this.#added - readInTime
    if (missed > 0) {
      // The entry before the first one is not there to be named: the next one that is read is the first.
      this.#tellGap(read[0]?.id ?? firstId ?? look.lastId, missed, 'trimmed')
      this.#added += missed
      if (firstId === undefined && read.length === 0) this.#position = look.lastId
      this.#recent = this.#recentSince(read.at(-1)?.id ?? firstId ?? look.lastId)
    }
    return read
  }

  async #take(entries: readonly StreamEntry[]): Promise<void> {
    const { reader, onRecord, onRead, isBehind } = this.#options
    const stopping = this.#stopping.signal
    for (let from = 0; from < entries.length; from += ENTRIES_A_TURN) {
      const startedMs = performance.now()
      const some = entries.slice(from, from + ENTRIES_A_TURN)
      for (const [index, { id, records }] of reader.read(some).entries()) {
        this.#position = id
        this.#added += 1
        this.#recent.add(some[index] as StreamEntry)
        for (const record of records) onRecord(record)
      }
      onRead()
      if (this.#fullReplies === 0) await turn()
      else await sleep(Math.max(performance.now() - startedMs, some.length * ENTRY_PAUSE_MS), stopping)
    }
    if (this.#fullReplies === 0) await sleep(isBehind() ? READ_PAUSE_BEHIND_MS : READ_PAUSE_MS, stopping)
  }

  #beginAgain({ added, length, firstId }: StreamLook): void {
    this.#tellGap(firstId ?? NONE, null, 'reset')
    this.#position = NONE
    this.#added = added - length
    this.#recent = this.#recentSince(NONE)
  }

  #skipTo({ lastId, added }: StreamLook): void {
    this.#tellGap(lastId, added - this.#added, 'behind')
    this.#position = lastId
    this.#added = added
    this.#recent = this.#recentSince(lastId)
  }

  #recentSince(id: EntryId): RecentRecords<T> {
    return new RecentRecords(id, this.#options.reader)
  }

  #tellGap(to: EntryId, entries: number | null, reason: GapReason): void {
    const { onGap, onSkipped, onRead } = this.#options
    onGap({ kind: 'gap', from: formatEntryId(this.#position), to: formatEntryId(to), entries, reason })
    if (entries !== null) onSkipped(entries)
    onRead()
  }
}

const NONE: EntryId = { ms: 0n, seq: 0n }

type ReadReply = readonly [readonly [stream: Buffer, entries: ReplyEntries]] | null

/** Of one command of a pipeline. */
function replyOf<T>([error, reply]: readonly [Error | null, unknown] = [null, null]): T {
  if (error !== null) throw error
  return reply as T
}
