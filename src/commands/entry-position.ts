import { InvalidArgumentError } from 'commander'
import type { EntryId } from '../models/stream-entry.ts'
import { parseFilterTime } from '../repositories/filter-time.ts'

/** A place in a stream: at an entry, or at the first one of a moment. */
export interface EntryPosition {
  readonly id: EntryId
  readonly isTime: boolean
}

const PART_MAX = 2n ** 64n - 1n
const NANOS_PER_MS = 1_000_000n

/**
 * Reads `1700000000000-0`, or a time as filters take it: RFC 3339, unix, `-2h`.
 *
 * @throws commander's InvalidArgumentError when it is none of these.
 */
export function parseEntryPosition(text: string): EntryPosition {
  const [, ms, seq] = /^(\d{1,20})-(\d{1,20})$/.exec(text) ?? []
  if (ms !== undefined && seq !== undefined) {
    const id = { ms: BigInt(ms), seq: BigInt(seq) }
    if (id.ms <= PART_MAX && id.seq <= PART_MAX) return { id, isTime: false }
  }
  const nanos = parseFilterTime(text, Date.now())
  if (nanos === undefined || nanos < 0n) {
    throw new InvalidArgumentError(
      'Expected an entry id (1700000000000-0) or a time (2026-11-23T10:00:00Z, unix, -2h).',
    )
  }
  return { id: { ms: nanos / NANOS_PER_MS, seq: 0n }, isTime: true }
}
