import {
  createDecodeContext,
  type DecodeContext,
  type DecodeLimits,
} from '../../../src/models/decode-context.ts'
import type { Decoded, RejectionReason } from '../../../src/models/rejection.ts'

export const TRACE_ID = '5b8efff798038103d269b633813fc60c'
export const SPAN_ID = 'eee19b7ec3c1b174'
/** 2026-11-23T09:00:00Z */
export const NOW = 1_795_424_400_000_000_000n

const DAY = 86_400_000_000_000n

export const LIMITS: DecodeLimits = {
  earliest: NOW - 30n * DAY,
  latest: NOW + DAY,
  maxRecordBytes: 1024 * 1024,
  maxDepth: 8,
}

/** A context as ingest makes it, a month back and a day ahead of {@link NOW}. */
export function contextWith(changes: Partial<DecodeContext> = {}): DecodeContext {
  return Object.assign(createDecodeContext(LIMITS), { defaultTimeUnixNano: NOW }, changes)
}

/** The record, or a failure that shows why it was refused. */
export function recordOf<T>(decoded: Decoded<T>): T {
  if (decoded.rejection !== undefined) throw new Error(JSON.stringify(decoded.rejection))
  return decoded.record
}

export function reasonOf(decoded: Decoded<unknown>): RejectionReason | 'not refused' {
  return decoded.rejection?.reason ?? 'not refused'
}
