import type { Redis } from 'ioredis'
import type pg from 'pg'
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../errors.ts'
import { parseEntryId } from '../models/stream-entry.ts'
import type { FrozenSessions } from '../writers/frozen-sessions.ts'
import { findListed } from '../writers/ledger.ts'
import { ackEntries, type GroupOfStream } from './consumer-group.ts'

export interface VanishedEntriesOptions extends GroupOfStream {
  readonly pool: Pick<pg.Pool, 'connect'>
  readonly redis: Redis
  readonly frozenSessions: FrozenSessions
  /** Whether ids that were read so far may bear other entries by now: see {@link EntryReader.isStale}. */
  readonly isStale: () => boolean
  /** Told of every loss once, before it is acknowledged. */
  readonly onLost: (ids: readonly string[]) => void
  /** Told how many losses were acknowledged here: two workers that find the same one both tell of it, and one counts it. */
  readonly onLostAcknowledged: (count: number) => void
  /** See {@link FindListedOptions.patienceMs}. */
  readonly patienceMs?: number
}

/** When so many are told and still not acknowledged, some may be told again. */
const MAX_TOLD = 10_000

/** Pending entries that somebody removed from the stream. */
export class VanishedEntries {
  readonly #options: VanishedEntriesOptions
  readonly #told = new Set<string>()

  constructor(options: VanishedEntriesOptions) {
    this.#options = options
  }

  /**
   * Settles entries that are pending, but no longer in the stream. Those that the ledger lists were committed, only their acknowledgement had not
   * come through; the others are lost, which can only be told, and is before they are acknowledged.
   *
   * @throws when PostgreSQL or Redis does not answer, or while a batch of the stream stays open: then they stay pending.
   */
  async settle(ids: readonly string[]): Promise<void> {
    const { redis, isStale, onLost, onLostAcknowledged } = this.#options
    const listed = await this.#findListed(ids)
    if (isStale()) return
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
  }

  async #findListed(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { pool, stream, patienceMs, frozenSessions } = this.#options
    try {
      return await findListed(pool, { stream, ids: ids.map(parseEntryId), patienceMs })
    } catch (error) {
      if (sqlStateOf(error) === LOCK_NOT_AVAILABLE) await frozenSessions.end()
      throw error
    }
  }
}
