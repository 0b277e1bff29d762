import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import type { CacheOutcome } from '../metrics/cache-outcome.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { isUnchanged, readSnapshot } from './answer-snapshot.ts'
import type { RecordFilter } from './filter.ts'
import { KnownRows } from './known-rows.ts'

export interface ResultCacheOptions {
  readonly redis: Pick<Redis, 'get' | 'set' | 'info'>
  /** Of the streams of the same telemetry. */
  readonly prefix: string
  /** What the cache may take of Redis' memory. */
  readonly maxBytes: number
  readonly onOutcome?: (outcome: CacheOutcome) => void
}

/** A question whose answer is a few rows of JSON text. */
export interface CacheableQuestion<Rows extends Readable | undefined>
  extends Pick<RecordFilter, 'from' | 'to'> {
  readonly signal: TelemetrySignal
  /** All that the answer depends on but what is stored: equal for equal questions alone. */
  readonly question: unknown
  readonly read: () => Promise<Rows>
}

interface Entry {
  readonly question: string
  readonly snapshot: string
  readonly etag: string
  readonly rows: readonly string[]
}

/** An answer above it is not kept. */
const MAX_ENTRY_BYTES = 128 * 1024
/** Characters of all rows, that are waited for. In an entry they take half as much again, mostly: quotes are escaped. */
const MAX_ROWS_LENGTH = 64 * 1024
/** Changes are remembered for an hour after they were taken up (rollup-keeper.ts): no answer is kept for longer than that. */
const KEEP_MS = 600_000
/** Redis is asked for no longer than this. */
const REDIS_WAIT_MS = 100
/** Of `maxmemory`: with more than this in use, memory is left to the streams. */
const MOST_MEMORY = 0.8

/**
 * Answers in Redis, for aggregates that are asked again. One is given only after PostgreSQL has said that nothing of its time range changed since it was made: never a stale one.
 *
 * It is a fixed number of places, of which a question has one; whoever comes later has it instead. So it never takes more than `maxBytes`, whatever is asked, without
 * Redis having to evict anything: under `noeviction` a cache that grew would be what stops XADD.
 */
export class ResultCache {
  readonly #options: ResultCacheOptions
  readonly #places: number

  constructor(options: ResultCacheOptions) {
    this.#options = options
    this.#places = Math.max(1, Math.floor(options.maxBytes / MAX_ENTRY_BYTES))
  }

  /**
   * @returns {@link KnownRows} where the answer is small, else the rows as they are read.
   * @throws what the reading throws. Redis failing only makes the cache miss.
   */
  async answer<Rows extends Readable | undefined>(
    pool: pg.Pool,
    { question, read, ...range }: CacheableQuestion<Rows>,
    signal: AbortSignal,
  ): Promise<Rows | Readable> {
    const { onOutcome = () => undefined } = this.#options
    const hash = hashOf(question)
    const entry = await this.#get(hash)
    if (entry !== undefined && (await isUnchanged(pool, { ...range, snapshot: entry.snapshot }, signal))) {
      onOutcome('hit')
      return new KnownRows(entry.rows, entry.etag)
    }
    // Older than what is read: a change that commits in between makes the answer count as stale, not the other way about.
    const snapshot = await readSnapshot(pool, signal)
    const rows = await read()
    if (rows === undefined) return rows
    const known = await collect(rows)
    onOutcome(known === undefined ? 'too_large' : entry === undefined ? 'miss' : 'stale')
    if (known === undefined) return rows
    const etag = hashOf(known)
    await this.#set({ question: hash, snapshot, etag, rows: known })
    return new KnownRows(known, etag)
  }

  async #get(question: string): Promise<Entry | undefined> {
    const text = await within(this.#options.redis.get(this.#placeOf(question)))
    if (text === undefined || text === null) return undefined
    const entry = JSON.parse(text) as Entry
    return entry.question === question ? entry : undefined
  }

  async #set(entry: Entry): Promise<void> {
    const text = JSON.stringify(entry)
    if (Buffer.byteLength(text) > MAX_ENTRY_BYTES || !(await this.#hasRoom())) return
    await within(this.#options.redis.set(this.#placeOf(entry.question), text, 'PX', KEEP_MS))
  }

  async #hasRoom(): Promise<boolean> {
    const info = await within(this.#options.redis.info('memory'))
    const read = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info ?? '')?.[1])
    const most = read('maxmemory')
    return most === 0 || read('used_memory') < most * MOST_MEMORY
  }

  #placeOf(question: string): string {
    return `${this.#options.prefix}:answers:${Number.parseInt(question.slice(0, 8), 16) % this.#places}`
  }
}

/** Undefined when Redis fails, or takes too long. After a stall of this process timers come first, then the answers that are there. */
async function within<T>(reply: Promise<T>): Promise<T | undefined> {
  const answered = new AbortController()
  try {
    return await Promise.race([reply, sleep(REDIS_WAIT_MS, answered.signal).then(() => turn(undefined))])
  } catch {
    return undefined
  } finally {
    answered.abort()
  }
}

/** All rows, where they are few. Else undefined, and what was read is put back. */
async function collect(rows: Readable): Promise<readonly string[] | undefined> {
  const known: string[] = []
  let bytes = 0
  return new Promise((resolve, reject) => {
    const settle = (result: readonly string[] | undefined) => {
      rows.off('readable', onReadable).off('end', onEnd).off('close', onClose).off('error', reject)
      resolve(result)
    }
    const onEnd = () => settle(known)
    const onClose = () => settle(undefined)
    const onReadable = () => {
      for (let row = rows.read() as readonly [string] | null; row !== null; row = rows.read()) {
        known.push(row[0])
        bytes += row[0].length
        if (bytes <= MAX_ROWS_LENGTH) continue
        for (const read of known.reverse()) rows.unshift([read])
        settle(undefined)
        return
      }
    }
    rows.on('readable', onReadable).once('end', onEnd).once('close', onClose).once('error', reject)
  })
}

function hashOf(value: unknown): string {
  const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part))
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
