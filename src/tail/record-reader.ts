import { decodeWhole } from '../ingest/decode-entry.ts'
import type { StreamEntry } from '../ingest/stream-entries.ts'
import type { RecordDecoder } from '../writers/record-decoder.ts'
import { type RecordCodec, type TailEntry, TailRecord } from './tail-record.ts'

/** Reads entries for a tail. Refused records are left out: they are among the dead letters. */
export class RecordReader<T> {
  readonly #decoder: RecordDecoder<T>
  readonly #codec: RecordCodec<T>

  constructor(decoder: RecordDecoder<T>, codec: RecordCodec<T>) {
    this.#decoder = decoder
    this.#codec = codec
  }

  read(entries: readonly StreamEntry[]): TailEntry<T>[] {
    const [first] = entries
    if (first === undefined) return []
    // What was accepted when it came is accepted now.
    const context = this.#decoder.context(Number(first.id.ms))
    return entries.map((entry) => {
      const { id, bytes } = entry
      const { records, recordIndexes } = decodeWhole(entry, this.#decoder, context)
      const placed = records.map(
        (record, place) =>
          new TailRecord({ entry: id, index: recordIndexes[place] ?? place }, record, this.#codec),
      )
      return { id, bytes, records: placed }
    })
  }
}
