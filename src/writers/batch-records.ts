import type { BatchEntry } from './batch.ts'

/**
 * The records of a batch that have rows, each named by its position. What they say is in their rows; the records themselves are decoded again where one is
 * asked for, which is seldom: PostgreSQL refused it.
 */
export class BatchRecords<T> {
  readonly #entryPositions: number[] = []
  readonly #recordIndexes: number[] = []
  #entryCount = 0
  #entries: readonly BatchEntry<T>[] = []

  get count(): number {
    return this.#entryPositions.length
  }

  /** @returns the position of the entry in the batch. */
  startEntry(): number {
    this.#entryCount += 1
    return this.#entryCount - 1
  }

  /** @returns the position of the record in the batch. */
  add(entryPosition: number, recordIndex: number): number {
    this.#recordIndexes.push(recordIndex)
    return this.#entryPositions.push(entryPosition) - 1
  }

  close(entries: readonly BatchEntry<T>[]): void {
    this.#entries = entries
  }

  /** Calls back with the position of the entry that each record is of. */
  forEach(visit: (entryPosition: number, position: number) => void): void {
    this.#entryPositions.forEach(visit)
  }

  /** A record, with the entry that it is of. */
  at(position: number): {
    readonly record: T
    readonly recordIndex: number
    readonly entry: BatchEntry<T>
    readonly entryPosition: number
  } {
    const entryPosition = this.#entryPositions[position]
    const entry = this.#entries[entryPosition ?? -1]
    if (entryPosition === undefined || entry === undefined)
      throw new RangeError(`No record at position ${position} of the batch`)
    const recordIndex = this.#recordIndexes[position] ?? 0
    const { records, recordIndexes } = entry.origin.decodeAgain()
    const record = records[recordIndexes.indexOf(recordIndex)]
    if (record === undefined)
      throw new Error(`Record ${recordIndex} of an entry is another one when it is decoded again`)
    return { record, recordIndex, entry, entryPosition }
  }

  /** Calls back with every record. */
  decodeAll(visit: (record: T, position: number) => void): void {
    let position = 0
    for (const entry of this.#entries) {
      for (const record of entry.origin.decodeAgain().records) {
        visit(record, position)
        position += 1
      }
    }
  }
}
