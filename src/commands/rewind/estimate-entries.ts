import { type EntryId, isBefore } from '../../models/stream-entry.ts'
import type { RewindState } from './rewind-group.ts'

/** How many entries lie from an id on. */
export interface EntryEstimate {
  readonly entries: number
  readonly isExact: boolean
}

/**
 * Counts the entries from `id` on without reading any. Exact at both ends of the stream; in between, as if they had come evenly over time, on
 * either side of the group's place where Redis knows how many lie after it.
 */
export function estimateEntries(state: RewindState, id: EntryId): EntryEstimate {
  const { first, last, length, lastDelivered, lag } = state
  if (first === undefined || isBefore(last, id)) return { entries: 0, isExact: true }
  if (!isBefore(first, id)) return { entries: length, isExact: true }
  let [from, to] = [
    { ms: first.ms, after: length },
    { ms: last.ms, after: 0 },
  ]
  if (lag !== undefined && lag <= length && !isBefore(lastDelivered, first)) {
    const place = { ms: lastDelivered.ms, after: lag }
    if (isBefore(lastDelivered, id)) from = place
    else to = place
  }
  const share = to.ms > from.ms ? Number(to.ms - id.ms) / Number(to.ms - from.ms) : 1
  const entries = Math.round(to.after + (from.after - to.after) * Math.min(1, Math.max(0, share)))
  return { entries: Math.max(1, entries), isExact: false }
}
