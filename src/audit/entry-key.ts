import { type EntryId, formatEntryId } from '../models/stream-entry.ts'

/** An entry id as one number, `ms * 2^64 + seq`: orders as Redis does, whatever the size of both parts. */
export type EntryKey = bigint

/** Entry ids from `from` to `to`, both included. */
export interface KeyRange {
  readonly from: EntryKey
  readonly to: EntryKey
}

export const EVERY_KEY: KeyRange = { from: 0n, to: 2n ** 128n - 1n }

const SEQ_BITS = 64n
const SEQ_MAX = 2n ** SEQ_BITS - 1n

export function keyOf({ ms, seq }: EntryId): EntryKey {
  return (ms << SEQ_BITS) | seq
}

export function idOf(key: EntryKey): EntryId {
  return { ms: key >> SEQ_BITS, seq: key & SEQ_MAX }
}

export function formatKey(key: EntryKey): string {
  return formatEntryId(idOf(key))
}
