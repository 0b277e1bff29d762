/** Why a record was refused. A closed list: it is a metric label and a column of `dead_letters`. */
export const REJECTION_REASONS = [
  'not_json',
  'not_protobuf',
  'wrong_type',
  'missing_field',
  'bad_id',
  'bad_time',
  'time_out_of_window',
  'out_of_range',
  'too_large',
  'too_deep',
  'unknown_form',
  'series_limit',
  'hash_collision',
  'refused_by_database',
] as const

export type RejectionReason = (typeof REJECTION_REASONS)[number]

/** A refused record is a value, not an exception: the reason, and in words what would have been right. */
export interface Rejection {
  readonly reason: RejectionReason
  readonly detail: string
}

/** The outcome of decoding one record. */
export type Decoded<T> =
  | { readonly record: T; readonly rejection?: undefined }
  | { readonly record?: undefined; readonly rejection: Rejection }
