import type { Source } from './source-cache.ts'
import type { UnparsedObject } from './unparsed-object.ts'

/** Marks scanned records: nothing that was parsed can bear it. */
export const SCANNED = Symbol('scanned')

/** A record of the usual form, read but not parsed: of its texts it knows where they are. Accepted, and in normal form. */
export interface ScannedRecord {
  readonly [SCANNED]: true
  /** What its positions are in. */
  readonly bytes: Buffer
  /** The time that decides the partition, in unix microseconds, and the nanoseconds that are left. */
  readonly micros: number
  readonly nanos: number
  readonly source: Source
  readonly attributes: UnparsedObject | undefined
}

/** Instead of a position in the bytes, or of a time: the record has none. Negative, as the encoder has it for null. */
export const NONE = -1

export function isScanned(record: unknown): record is ScannedRecord {
  return typeof record === 'object' && record !== null && SCANNED in record
}

export function timeMsOf({ micros }: ScannedRecord): number {
  return Math.floor(micros / 1000)
}
