import type { RedactionTally } from './privacy/redaction-tally.ts'
import type { Decoded, Rejection, RejectionReason } from './rejection.ts'

/** What a record may be. Fixed for the life of a pipeline. */
export interface DecodeLimits {
  /** Accepted window of span start, log time and data point time, in unix nanoseconds, both ends included. */
  readonly earliest: bigint
  readonly latest: bigint
  /** Bytes of one record as JSON, roughly: escapes are not counted. See {@link DecodeContext.entryBytes}. */
  readonly maxRecordBytes: number
  /** Containers that may stand inside one another in an attribute value or a log body. */
  readonly maxDepth: number
}

/**
 * Everything a decoder has to know beside the record, and what it reports beside the result. One
 * object serves a whole pipeline: the caller sets the fields that differ before each entry.
 */
export interface DecodeContext {
  readonly limits: DecodeLimits
  /** The time of a log record that names none: the entry id's milliseconds, as unix nanoseconds. */
  defaultTimeUnixNano: bigint
  /** All values are text (the flat form): objects and lists come as JSON text and are parsed. */
  flat: boolean
  /** The entry may hold NUL or lone surrogates (see `mayHoldUnstorableText`): every string is looked at. */
  suspicious: boolean
  /** Bytes of the entry the record came in. Only records of an entry above `maxRecordBytes` are measured. */
  entryBytes: number
  /** Counts strings that had to be cleaned. Decoders only add to it; the caller resets it. */
  cleaned: number
  /** How many values each redaction rule has hidden, as `cleaned`. */
  readonly redacted: RedactionTally
  /** The first refusal of the record in hand. Each decoder resets it; its outcome repeats it. */
  rejection: Rejection | undefined
}

/** A context for trusted, clean, non-flat records that came with no entry; the caller sets what differs. */
export function createDecodeContext(limits: DecodeLimits): DecodeContext {
  return {
    limits,
    defaultTimeUnixNano: 0n,
    flat: false,
    suspicious: false,
    entryBytes: 0,
    cleaned: 0,
    redacted: new Map(),
    rejection: undefined,
  }
}

/**
 * Notes why the record in hand is refused; the first reason stands. Decoders go on with stand-in
 * values after it, so that no exception and no result wrapper is needed per field.
 */
export function refuse(context: DecodeContext, reason: RejectionReason, detail: string): undefined {
  context.rejection ??= { reason, detail }
  return undefined
}

/** Ends a decoder: the record, unless something in it was refused. */
export function finishRecord<T>(record: T, context: DecodeContext): Decoded<T> {
  return context.rejection === undefined ? { record } : { rejection: context.rejection }
}
