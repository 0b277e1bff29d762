import type { Redis } from 'ioredis'
import type pg from 'pg'
import { parseEntryId } from '../models/stream-entry.ts'
import type { FrozenSessions } from '../writers/frozen-sessions.ts'
import { findListed } from '../writers/ledger.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'

export interface VanishedEntriesOptions extends GroupOfStream {
  readonly pool: Pick<pg.ClientBase, 'query'>
  readonly redis: Redis
  readonly frozenSessions: FrozenSessions
  /** Whether ids that were read so far may bear other entries by now: see {@link EntryReader.isStale}. */
  readonly isStale: () => boolean
  /** Told of every loss once, before it is acknowledged. */
  readonly onLost: (ids: readonly string[]) => void
  /** Told how many losses were acknowledged here: two workers that find the same one both tell of it, and one counts it. */
  readonly onLostAcknowledged: (count: number) => void
  readonly onFrozenEnded: (sessions: number) => void
  /** See {@link FindListedOptions.patienceMs}. */
  readonly patienceMs?: number
  /** How long nothing is tried after a batch stayed open. Default 5000. */
  readonly pauseMs?: number
}

/** When so many are told and still not acknowledged, some may be told again. */
const MAX_TOLD = 10_000
const PAUSE_MS = 5000

/** Pending entries that somebody removed from the stream. */
export class VanishedEntries {
  readonly #options: VanishedEntriesOptions
  readonly #told = new Set<string>()
  #pausedUntil = 0

  constructor(options: VanishedEntriesOptions) {
    this.#options = options
  }

  /**
   * Settles entries that are pending, but no longer in the stream. Those that the ledger lists were committed, only their acknowledgement had not
   * come through; the others are lost, which can only be told, and is before they are acknowledged.
   *
   * @returns false when nothing can be said yet, for a batch of the stream stays open: then they stay pending.
   * @throws when PostgreSQL or Redis does not answer: then, too.
   */
  async settle(ids: readonly string[]): Promise<boolean> {
    const { redis, isStale, onLost, onLostAcknowledged } = this.#options
    const listed = await this.#findListed(ids)
    if (listed === undefined || isStale()) return false
    const lost = ids.filter((id) => !listed.has(id))
    const untold = lost.filter((id) => !this.#told.has(id))
    if (untold.length > 0) onLost(untold)
    if (this.#told.size > MAX_TOLD) this.#told.clear()
    for (const id of untold) this.#told.add(id)
    const acknowledged = await ackEntries(redis, this.#options, lost)
    if (acknowledged > 0) onLostAcknowledged(acknowledged)
    for (const id of lost) this.#told.delete(id)
    await ackEntries(
      redis,
      this.#options,
      ids.filter((id) => listed.has(id)),
    )
    return true
  }

  /** A batch that stays open would make each look wait: after one, the next ones are left out for a while. */
  async #findListed(ids: readonly string[]): Promise<ReadonlySet<string> | undefined> {
    const { pool, stream, patienceMs, pauseMs = PAUSE_MS, frozenSessions, onFrozenEnded } = this.#options
    if (performance.now() < this.#pausedUntil) return undefined
    const listed = await findListed(pool, { stream, ids: ids.map((id) => parseEntryId(id)), patienceMs })
    if (listed !== undefined) return listed
    this.#pausedUntil = performance.now() + pauseMs
    const ended = await frozenSessions.end()
    if (ended > 0) onFrozenEnded(ended)
    return undefined
  }
}
