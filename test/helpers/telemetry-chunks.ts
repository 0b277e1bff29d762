import type { EntryId } from '../../src/models/stream-entry.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { DecodedChunk, DecodedEntry } from '../../src/writers/batch.ts'
import { RecordDecoder } from '../../src/writers/record-decoder.ts'

/** A loose span, told from others by its name. */
export function looseSpan(name: string, fields: object = {}): object {
  return {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    startTime: Date.now(),
    durationMs: 1,
    service: 'api',
    name,
    ...fields,
  }
}

export interface EntryShape {
  readonly id: number | EntryId
  readonly crc?: number
  /** Loose records, good and bad. */
  readonly records: readonly object[]
}

/** One entry as ingest decodes it. A number as id is milliseconds. */
export function decodedEntry<T>(
  signal: TelemetrySignal,
  { id, crc = 0, records }: EntryShape,
): DecodedEntry<T> {
  const decoder = new RecordDecoder<T>(signal)
  const context = decoder.context(Date.now())
  context.suspicious = true
  context.defaultTimeUnixNano = BigInt(Date.now()) * 1_000_000n
  return {
    id: typeof id === 'number' ? { ms: BigInt(id), seq: 0n } : id,
    crc,
    bytes: JSON.stringify(records).length,
    ...decoder.decodeAll(records, context),
  }
}

/** The entries of one read. */
export function decodedChunk<T>(
  signal: TelemetrySignal,
  entries: readonly EntryShape[],
  { contiguous = true }: { contiguous?: boolean } = {},
): DecodedChunk<T> {
  return { contiguous, readAt: Date.now(), entries: entries.map((entry) => decodedEntry<T>(signal, entry)) }
}
