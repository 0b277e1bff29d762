import { setImmediate as turn } from 'node:timers/promises'
import type { DecodedChunk, DecodedEntry } from '../writers/batch.ts'
import type { RecordDecoder } from '../writers/record-decoder.ts'
import { decodeEntry } from './decode-entry.ts'
import type { InFlight } from './in-flight.ts'
import type { EntryChunk, StreamEntry } from './stream-entries.ts'

/** Told of each decoded chunk: its records, good and refused, the strings that had to be cleaned, and the values that each rule has hidden. */
export type OnDecoded = (chunk: {
  readonly entries: number
  readonly records: number
  readonly cleaned: number
  readonly redacted: ReadonlyMap<string, number>
}) => void

export interface DecodeOptions<T> {
  readonly stream: string
  readonly decoder: RecordDecoder<T>
  readonly inFlight: InFlight
  readonly onDecoded: OnDecoded
  /** Ends the waiting for room: nothing that was read is committed any more. */
  readonly ended: AbortSignal
}

/**
 * A chunk ends with the entry that reaches this many records. They are rows before the next chunk is decoded: so few records live at once that the garbage
 * collector has nothing to copy, and a reply of millions of tiny ones holds no more. It is also how long all else waits, a live tail above all: with 256 a record was on a screen
 * twice as late, and 64 cost some 6 % more of Node's time a row.
 */
const CHUNK_RECORDS = 64

/** Makes records of the entries of each read, refused ones beside them with the reason. */
export async function* decodeEntries<T>(
  reads: AsyncIterable<EntryChunk>,
  { stream, decoder, inFlight, onDecoded, ended }: DecodeOptions<T>,
): AsyncGenerator<DecodedChunk<T>> {
  for await (const { contiguous, readAt, entries } of reads) {
    for (let from = 0; from < entries.length; ) {
      await inFlight.roomForRecords(stream, ended)
      const context = decoder.context(readAt)
      const decoded: DecodedEntry<T>[] = []
      let records = 0
      for (; from < entries.length && records < CHUNK_RECORDS; from += 1) {
        const entry = decodeEntry(entries[from] as StreamEntry, decoder, context)
        records += entry.records.length + entry.letters.length
        decoded.push(entry)
      }
      inFlight.decoded(stream, records)
      const { cleaned, redacted } = context
      onDecoded({ entries: decoded.length, records, cleaned, redacted: new Map(redacted) })
      yield { contiguous, readAt, entries: decoded }
      // A reply may hold thousands of records: in between, what PostgreSQL and Redis wait for goes out.
      await turn()
    }
  }
}
