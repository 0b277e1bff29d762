/**
 * What happens in a live tail, wherever it is read from.
 *
 * - `record`: one that matches, as JSON in the shape of the wire contract. `id` is where it stands (`<ms>-<seq>-<index>`): a tail that begins after it goes on with the next one.
 * - `heartbeat`: at once when all of the history was sent, then from time to time.
 * - `dropped`: so many records that match were left out here, for the reader is too slow.
 * - `gap`: entries after `from` and before `to` were not looked at; `entries` is how many, where that is known.
 * - `bye`: the source ends the tail, and nothing follows.
 */
export type TailEvent =
  | { readonly kind: 'record'; readonly id: string; readonly json: string }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'dropped'; readonly count: number }
  | {
      readonly kind: 'gap'
      readonly from: string
      readonly to: string
      readonly entries: number | null
      readonly reason: GapReason
    }
  | { readonly kind: 'bye'; readonly reason: ByeReason }

/** Why entries were not looked at: they are gone from the stream; the tail was too far behind; Redis could not be read; there were too many. */
export type GapReason = 'trimmed' | 'behind' | 'unavailable' | 'too_many'

/** Why a tail is ended: the service stops; it has given as many records as were asked for; its reader is too slow. */
export type ByeReason = 'shutdown' | 'limit' | 'slow'
