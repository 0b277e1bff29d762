import type { EntryKey } from './entry-key.ts'
import type { LedgerBatch } from './ledger-rows.ts'
import type { StoredEntry } from './stored-entries.ts'

/** An entry of a batch that may be one of those that lack something. */
export interface DoubtfulEntry {
  readonly key: EntryKey
  readonly detail: string
}

/** At most so many doubtful entries of a group are named. */
const DOUBTFUL_MAX = 1000

/**
 * What the ledger counted of some batches, and what is there of their entries.
 *
 * States: *open*, until every batch in it is read to its end, then *complete*. Batches that list an id in common (forks, or two streams with
 * the same explicit ids) are merged, for a row does not tell which of the two it is of: only their sums can be compared.
 */
export class BatchGroup {
  batches = 1
  expectedRows: number
  expectedLetters: number
  foundRows = 0
  foundLetters = 0
  first: EntryKey
  last: EntryKey
  earliestCommitMs: number
  latestCommitMs: number
  /** Whether what is found is not all there can be: another signal's table, or beyond the range. */
  isPartial: boolean
  readonly doubtful: DoubtfulEntry[] = []
  doubtfulCount = 0
  /** For a message; of the first batch. */
  readonly name: string
  #open = 1
  #mergedInto: BatchGroup | undefined

  constructor(
    batch: LedgerBatch,
    { last, isPartial }: { readonly last: EntryKey; readonly isPartial: boolean },
  ) {
    this.expectedRows = batch.rowCount
    this.expectedLetters = batch.letterCount
    this.first = batch.first
    this.last = last
    this.earliestCommitMs = batch.committedAtMs
    this.latestCommitMs = batch.committedAtMs
    this.isPartial = isPartial
    this.name = `${batch.stream}, fork ${batch.fork}`
  }

  /** The group that this one has become part of. */
  get merged(): BatchGroup {
    let group: BatchGroup = this
    while (group.#mergedInto !== undefined) group = group.#mergedInto
    // The next look is short, and what lies between can be forgotten.
    if (group !== this) this.#mergedInto = group
    return group
  }

  /** Makes one group of two. @returns it. */
  mergeWith(other: BatchGroup): BatchGroup {
    const [group, part] = [this.merged, other.merged]
    if (group === part) return group
    group.batches += part.batches
    group.expectedRows += part.expectedRows
    group.expectedLetters += part.expectedLetters
    group.foundRows += part.foundRows
    group.foundLetters += part.foundLetters
    if (part.first < group.first) group.first = part.first
    if (part.last > group.last) group.last = part.last
    group.earliestCommitMs = Math.min(group.earliestCommitMs, part.earliestCommitMs)
    group.latestCommitMs = Math.max(group.latestCommitMs, part.latestCommitMs)
    group.isPartial ||= part.isPartial
    for (const entry of part.doubtful) group.#keep(entry)
    group.doubtfulCount += part.doubtfulCount
    group.#open += part.#open
    part.#mergedInto = group
    return group
  }

  /** Counts what is there of an entry. */
  add(key: EntryKey, stored: StoredEntry | undefined): void {
    if (stored === undefined) {
      this.doubt({ key, detail: 'it has neither row nor letter, and is of a batch that lacks some' })
      return
    }
    this.foundRows += stored.rows - stored.replayedRows
    this.foundLetters += stored.letters
    if (stored.records > 0 && stored.records <= stored.lastIndex)
      this.doubt({
        key,
        detail: `of its first ${stored.lastIndex + 1} records only ${stored.records} are there`,
      })
  }

  doubt(entry: DoubtfulEntry): void {
    this.#keep(entry)
    this.doubtfulCount += 1
  }

  /** One of its batches is read to the end. @returns whether the group is complete. */
  close(): boolean {
    this.#open -= 1
    return this.#open === 0
  }

  #keep(entry: DoubtfulEntry): void {
    if (this.doubtful.length < DOUBTFUL_MAX) this.doubtful.push(entry)
  }
}
