import { crc32 } from 'node:zlib'
import type { Redis } from 'ioredis'
import { fieldsCrc } from '../../src/ingest/decode-entry.ts'
import { oldestRedeliverable } from '../../src/ingest/oldest-redeliverable.ts'
import { type EntryId, formatEntryId, parseEntryId } from '../../src/models/stream-entry.ts'

/** One entry that the stream accepted: an id, and the history of the stream that it belongs to. */
export interface AcceptedEntry {
  readonly id: string
  readonly history: number
  /** Whether it may be missing: it was taken from Redis while nothing had committed it. */
  isExcused: boolean
}

/** As the ledger lists it. */
export type EntryKey = `${string}:${number}`

/**
 * A stream in a real Redis whose content is known: what an entry holds is a function of its id and of the history it belongs to. Deleting the
 * stream, or putting an older copy of it back, begins a new history, whose ids may be those of an earlier one.
 */
export class AttackedStream {
  readonly name: string
  readonly accepted = new Map<EntryKey, AcceptedEntry>()
  readonly #redis: Redis
  #history = 0
  #copy: { readonly dump: Buffer; readonly needs: EntryId | undefined } | undefined

  constructor(redis: Redis, name: string) {
    this.#redis = redis
    this.name = name
  }

  /** Adds entries after the last one: `gap` is how far ahead of it in milliseconds; with 0 the sequence number counts on. */
  async add(count: number, gap: number): Promise<void> {
    let last = await this.#lastId()
    for (let added = 0; added < count; added += 1) {
      const ms = last.ms + BigInt(gap)
      last = { ms, seq: gap === 0 ? last.seq + 1n : BigInt(added % 3) }
      if (last.ms === 0n && last.seq === 0n) last = { ms: 0n, seq: 1n }
      await this.#xadd(formatEntryId(last), this.#history)
    }
  }

  /** Deletes it and, where told, fills it with ids that it had before: of the same content from `sameFrom` on, of other content below. */
  async delete({ refill, sameFrom }: { refill: number; sameFrom: EntryId | undefined }): Promise<void> {
    const before = [...this.accepted.values()]
    await this.#redis.del(this.name)
    this.#history += 1
    const ids = [...new Set(before.map(({ id }) => id))].sort((a, b) =>
      compareIds(parseEntryId(a), parseEntryId(b)),
    )
    for (const id of ids.slice(-refill)) {
      const same = before.find((entry) => entry.id === id)
      const maySame =
        same !== undefined && (sameFrom === undefined || compareIds(parseEntryId(id), sameFrom) >= 0)
      await this.#xadd(id, maySame && crc32(id) % 2 === 0 ? same.history : this.#history)
    }
  }

  /** Remembers the stream as it is, with its groups and all that is pending. */
  async copy(): Promise<void> {
    const dump = await this.#redis.dumpBuffer(this.name)
    if (dump !== null) this.#copy = { dump, needs: await oldestRedeliverable(this.#redis, this.name) }
  }

  /** Puts the copy in its place, as a failover to a replica that lags does. @returns whether there was one. */
  async failOver(): Promise<boolean> {
    if (this.#copy === undefined) return false
    await this.#redis.restore(this.name, 0, this.#copy.dump, 'REPLACE')
    this.#history += 1
    return true
  }

  /** The oldest entry that could still be delivered again, be it by a failover. */
  async redeliverableFrom(held: readonly EntryId[]): Promise<EntryId | undefined> {
    const now = await oldestRedeliverable(this.#redis, this.name)
    if (now === undefined) return undefined
    const copied = this.#copy?.needs === undefined ? [] : [this.#copy.needs]
    return [now, ...copied, ...held].reduce((least, id) => (compareIds(id, least) < 0 ? id : least))
  }

  /** Excuses what is neither in the stream nor committed: Redis cannot deliver it any more. */
  async excuseDestroyed(committed: ReadonlySet<string>): Promise<void> {
    const entries = (await this.#redis.xrangeBuffer(this.name, '-', '+')) as [Buffer, Buffer[]][]
    const present = new Set(entries.map(([id, fields]) => `${id.toString('latin1')}:${fieldsCrc(fields)}`))
    for (const [key, entry] of this.accepted)
      if (!present.has(key) && !committed.has(key)) entry.isExcused = true
  }

  /**
   * Excuses entries of another history whose id was acknowledged for these: XACK knows ids only. Whoever holds them still
   * commits them, unless it crashes just then.
   */
  excuseAcknowledged(keys: readonly string[], committed: ReadonlySet<string>): number {
    const acknowledged = new Set(keys)
    const ids = new Set(keys.map((key) => key.slice(0, key.indexOf(':'))))
    let excused = 0
    for (const [key, entry] of this.accepted) {
      if (entry.isExcused || !ids.has(entry.id) || acknowledged.has(key) || committed.has(key)) continue
      entry.isExcused = true
      excused += 1
    }
    return excused
  }

  async #xadd(id: string, history: number): Promise<void> {
    const fields = fieldsOf(id, history)
    await this.#redis.xadd(this.name, id, ...fields)
    const key: EntryKey = `${id}:${fieldsCrc(fields.map((field) => Buffer.from(field)))}`
    this.accepted.set(key, { id, history, isExcused: false })
  }

  async #lastId(): Promise<EntryId> {
    const info = (await this.#redis.xinfo('STREAM', this.name).catch(() => [])) as unknown[]
    const at = info.indexOf('last-generated-id')
    return at < 0 ? { ms: 0n, seq: 0n } : parseEntryId(String(info[at + 1]))
  }
}

export function compareIds(a: EntryId, b: EntryId): number {
  const difference = a.ms === b.ms ? a.seq - b.seq : a.ms - b.ms
  return difference < 0n ? -1 : Number(difference > 0n)
}

/** Within what is accepted, and the same for as long as the process runs. */
const NOW = Date.now()

/** The bodies of an entry's good records, none to three. */
export function bodiesOf({ id, history }: Pick<AcceptedEntry, 'id' | 'history'>): string[] {
  return Array.from({ length: crc32(`${id} ${history}`) % 4 }, (_, index) => `${id}/${history}/${index}`)
}

/** The body of an entry's record that is refused; some have one. */
export function refusedBodyOf({ id, history }: Pick<AcceptedEntry, 'id' | 'history'>): string[] {
  return crc32(`${history} ${id}`) % 5 === 0 ? [`${id}/${history}/refused`] : []
}

function fieldsOf(id: string, history: number): string[] {
  const refused = refusedBodyOf({ id, history }).map((body) => ({ time: NOW, body, severityNumber: 99 }))
  const good = bodiesOf({ id, history }).map((body) => ({ time: NOW, body }))
  // An entry without records still has content of its own.
  return ['json', `${JSON.stringify([...refused, ...good])}${' '.repeat(history)}`]
}
