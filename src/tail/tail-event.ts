/** Why entries were not looked at. */
export const GAP_REASONS = ['trimmed', 'behind', 'unavailable', 'too_many', 'reset'] as const

/**
 * Entries that a tail has passed over: no longer in the stream nor in PostgreSQL (`trimmed`), more than could be read in time (`behind`), in PostgreSQL, which does not
 * answer (`unavailable`), or more than a tail reads from there (`too_many`); or the stream has begun again (`reset`).
 */
export type GapReason = (typeof GAP_REASONS)[number]

export interface Gap {
  readonly kind: 'gap'
  /** The last entry before it and the first after it, `ms-seq`. */
  readonly from: string
  readonly to: string
  /** Entries in between; null where nobody knows. */
  readonly entries: number | null
  readonly reason: GapReason
}

/** A record, in the shape of the wire contract. */
export interface RecordEvent {
  readonly kind: 'record'
  /** `ms-seq-index`: the entry, and the record's place in it. */
  readonly id: string
  /** In UTF-8. */
  readonly json: Buffer
}

/** Why the service ends a tail: it stops, and another may go on; or as many records were shown as were asked for. */
export type ByeReason = 'shutdown' | 'limit'

/** What a tail tells whoever watches, in order. Only records have an id. */
export type TailEvent =
  | RecordEvent
  | Gap
  /** Nothing was left out up to now. */
  | { readonly kind: 'heartbeat'; readonly time: string }
  /** Records that match, left out at this place because the watcher is too slow. */
  | { readonly kind: 'dropped'; readonly count: number }
  | { readonly kind: 'bye'; readonly reason: ByeReason }
