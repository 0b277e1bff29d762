import type { LedgerEntry } from '../writers/packed-entries.ts'
import type { FoundFailure } from './audit-failure.ts'
import { BatchGroup } from './batch-groups.ts'
import { type EntryKey, formatKey, type KeyRange, keyOf } from './entry-key.ts'
import type { LedgerBatch } from './ledger-rows.ts'

/** An entry, and the groups of the batches that list it: one for each time that it is listed. */
export interface ListedEntry {
  readonly key: EntryKey
  readonly groups: readonly BatchGroup[]
  /** Those of them that list nothing after it. */
  readonly ending: readonly BatchGroup[]
}

/** A batch that is being read, and where. */
interface OpenBatch {
  readonly group: BatchGroup
  readonly entries: readonly LedgerEntry[]
  position: number
  key: EntryKey
}

export interface ListingOptions {
  /** By their first id. */
  readonly batches: AsyncIterator<LedgerBatch>
  /** What is compared lies in here: a batch that lies across its ends is not complete. */
  readonly range: KeyRange
  readonly onUnreadable: (failure: FoundFailure) => Promise<void>
  readonly onBatch: (batch: LedgerBatch) => void
}

/**
 * What the ledger lists, entry by entry in ascending order, whichever batches list it.
 *
 * Batches are taken when their first id is reached and dropped after their last one: held are those that cover one moment, which are few. (One
 * that was claimed from pending entries can reach from an old one to a new one, and is held for as long.)
 */
export class ListedEntries {
  readonly #options: ListingOptions
  /** In descending order of key: the next one is the last. */
  readonly #open: OpenBatch[] = []
  #upcoming: LedgerBatch | undefined
  #exhausted = false

  constructor(options: ListingOptions) {
    this.#options = options
  }

  async next(): Promise<ListedEntry | undefined> {
    await this.#takeBatches()
    const key = this.#open.at(-1)?.key
    if (key === undefined) return undefined
    const groups: BatchGroup[] = []
    const ending: BatchGroup[] = []
    const advanced: OpenBatch[] = []
    for (let batch = this.#open.at(-1); batch?.key === key; batch = this.#open.at(-1)) {
      this.#open.pop()
      groups.push(batch.group)
      batch.position += 1
      const next = batch.entries[batch.position]
      if (next === undefined) ending.push(batch.group)
      else {
        batch.key = keyOf(next.id)
        advanced.push(batch)
      }
    }
    for (const batch of advanced) this.#insert(batch)
    return { key, groups, ending }
  }

  /** Takes every batch that may list the next entry. */
  async #takeBatches(): Promise<void> {
    for (;;) {
      if (this.#upcoming === undefined && !this.#exhausted) {
        const { value, done } = await this.#options.batches.next()
        this.#exhausted = done === true
        this.#upcoming = done === true ? undefined : value
      }
      const upcoming = this.#upcoming
      const next = this.#open.at(-1)
      if (upcoming === undefined || (next !== undefined && next.key < upcoming.first)) return
      this.#upcoming = undefined
      await this.#take(upcoming)
    }
  }

  async #take(batch: LedgerBatch): Promise<void> {
    const { range, onBatch, onUnreadable } = this.#options
    onBatch(batch)
    const [first, last] = [batch.entries?.[0], batch.entries?.at(-1)]
    if (batch.entries === undefined || first === undefined || last === undefined) {
      const detail = `the ledger row of ${batch.stream}, fork ${batch.fork}, has a list of entries that is not of ${batch.entryCount}`
      await onUnreadable({ kind: 'unreadable', id: formatKey(batch.first), lastId: null, detail })
      return
    }
    const [firstKey, lastKey] = [keyOf(first.id), keyOf(last.id)]
    const isPartial = batch.isForeign || firstKey < range.from || lastKey > range.to
    const group = new BatchGroup(batch, { last: lastKey, isPartial })
    this.#insert({ group, entries: batch.entries, position: 0, key: firstKey })
  }

  #insert(batch: OpenBatch): void {
    let low = 0
    let high = this.#open.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#open[middle]
      if (other !== undefined && other.key > batch.key) low = middle + 1
      else high = middle
    }
    this.#open.splice(low, 0, batch)
  }
}
