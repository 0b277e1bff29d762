import { Transform, type TransformCallback } from 'node:stream'
import type { DecodedChunk } from '../writers/batch.ts'
import type { RecordDecoder } from '../writers/record-decoder.ts'
import { decodeEntry } from './decode-entry.ts'
import type { EntryChunk } from './stream-entries.ts'

/** Told of each decoded chunk: its records, good and refused, and the strings that had to be cleaned. */
export type OnDecoded = (chunk: {
  readonly entries: number
  readonly records: number
  readonly cleaned: number
}) => void

/** The Transform from the entries of a read to their records, refused ones beside them with the reason. */
export function decodeEntries<T>(decoder: RecordDecoder<T>, onDecoded: OnDecoded): Transform {
  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(chunk: EntryChunk, _encoding, callback: TransformCallback) {
      const context = decoder.context(chunk.readAt)
      const entries = chunk.entries.map((entry) => decodeEntry(entry, decoder, context))
      const records = entries.reduce((sum, { records, letters }) => sum + records.length + letters.length, 0)
      onDecoded({ entries: entries.length, records, cleaned: context.cleaned })
      const decoded: DecodedChunk<T> = { contiguous: chunk.contiguous, readAt: chunk.readAt, entries }
      callback(null, decoded)
    },
  })
}
