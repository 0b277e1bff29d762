import type { RejectionReason } from './rejection.ts'
import type { EntryId } from './stream-entry.ts'

/**
 * What the payload of a dead letter is: `record`, the refused record as JSON text; `json`, the bytes of the entry's
 * `json` field as they came; `entry`, all fields of the entry as a RESP array of bulk strings.
 */
export type PayloadForm = 'record' | 'json' | 'entry'

/** A refused record (or entry), with the reason and enough to replay it. */
export interface DeadLetter {
  /** Position in its entry; -1 when the entry as a whole was refused. */
  readonly recordIndex: number
  readonly reason: RejectionReason
  readonly detail: string
  readonly sqlState: string | undefined
  readonly payloadForm: PayloadForm
  readonly payload: Uint8Array
}

/** The payload of a letter whose payload must not be kept. */
export const NOT_KEPT = new Uint8Array(0)

/** A letter as it is stored, with what its replay needs. */
export interface StoredLetter extends Pick<DeadLetter, 'recordIndex' | 'reason' | 'payloadForm'> {
  /** A UUID. */
  readonly letterId: string
  readonly entryId: EntryId
  /** When it was refused first, in unix milliseconds. */
  readonly deadLetteredAtMs: number
  /** Undefined where it was not kept. */
  readonly payload: Buffer | undefined
}
