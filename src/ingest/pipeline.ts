import { pipeline } from 'node:stream/promises'
import type { TelemetryWriter } from '../writers/telemetry-writer.ts'
import { type DecodeOptions, decodeEntries } from './decode-entries.ts'
import type { EntryReader } from './read-entries.ts'

/** The parts of the ingest of one signal. */
export interface IngestParts<T extends object> {
  readonly reader: EntryReader
  readonly decoding: DecodeOptions<T>
  readonly writer: TelemetryWriter<T>
}

/**
 * The whole ingest of one signal. Chunks flow, never single records, and every stage pushes back on the one before it.
 *
 * Resolves when the reader was told to stop and all that it read is committed and acknowledged. Aborting `hardStop` ends it at once:
 * what is not committed stays pending in Redis.
 */
export function ingest<T extends object>(
  { reader, decoding, writer }: IngestParts<T>,
  hardStop: AbortSignal,
): Promise<void> {
  return pipeline(
    reader.read(), //                              XREADGROUP: the entries of one reply are one chunk
    (reads) => decodeEntries(reads, decoding), //  validate: entries → records, refused ones with their reason
    writer, //                                     batch → COPY encode → ledger, rows, dead letters in one transaction → XACK
    { signal: hardStop },
  )
}
